//go:build bindings

package main

// main does nothing in the build that `wails build` starts to list the Go methods
// bound to the page: there are none, the page talks to the inspector's API. The
// program itself must not run then, it would serve.
func main() {}
