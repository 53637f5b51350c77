// Package config is what a person can set: the settings, their defaults, where
// they come from and what values they take.
//
// One table (Keys) describes every setting once. The configuration file, the
// environment variables, the command-line flags, their help texts and the error
// messages are all derived from it, so they cannot disagree.
//
// Precedence: flag, then environment variable (TAILRACE_ and the key in upper
// case), then configuration file, then default. A loaded Config is a value: it
// is validated once and not changed afterwards. The package starts no goroutine
// and keeps no state.
package config
