// Package service has a real systemd of a user run the built program.
package service
