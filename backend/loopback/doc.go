// Package loopback tells which names mean this machine. Both listeners admit
// only those as Host, which stops web pages that point a name of their own at
// 127.0.0.1 (DNS rebinding).
package loopback
