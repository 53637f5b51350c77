// Package trust puts a certificate authority into the stores where this machine
// keeps those it believes, and takes it out again: the system's, and the NSS
// databases of Chromium and Firefox on Linux, which do not use the system's. On
// macOS and Windows the browsers do.
//
// It never asks for a password or for more rights: where it may not write, a
// [Result] holds the steps for a person to take. It is done with the tools of
// each system (update-ca-certificates, certutil, security), because libraries
// for this run the same tools, add sudo, and keep state of their own. The package
// starts no goroutines.
package trust
