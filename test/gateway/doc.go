// Package gateway runs a real S3 server for tests: versitygw on a folder, which
// scripts/setup.sh builds.
package gateway
