// Package crash kills the built program while it takes, stores and restores
// snapshots, and looks at what is left. Everything else that is killed is in
// test/torture.
package crash
