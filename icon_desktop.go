//go:build desktop && !bindings

package main

import _ "embed"

//go:embed build/appicon.png
var appIcon []byte

// icon returns the picture of the window.
func icon() []byte { return appIcon }
