// Package docs runs the examples of the documentation against the built program.
package docs
