// Package crash kills the program while it is under load and checks what it kept.
package crash
