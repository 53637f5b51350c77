//go:build !desktop && !bindings

package main

// icon returns nothing: this build has no window.
func icon() []byte { return nil }
