// Command licences prints the licences of everything that is built into the
// program, on any platform: Go modules, Go itself, and the npm packages of the
// page. It fails when one has none, so that nothing gets in whose terms nobody has
// seen.
package main
