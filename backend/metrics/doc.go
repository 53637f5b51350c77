// Package metrics shows the figures of the engine and the log in Prometheus
// format. They are read when somebody asks; requests pay nothing for them.
package metrics
