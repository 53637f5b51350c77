// Command cli writes what a package brings along about the command line: the
// manual page, completions for bash, zsh and fish, and the documentation's page
// about commands, into a folder. They are derived from the command line itself, so they cannot disagree with it.
//
// Defaults that depend on the user are written as the environment says: run it
// with HOME=~.
package main
