package protocol

// Limits bound what one request may ask of the server. A request over a limit
// gets an error that names it.
type Limits struct {
	// BodyBytes is the largest PUT or POST body, in bytes.
	BodyBytes int64
	// PathBytes is the longest decoded stream path, in bytes.
	PathBytes int
	// HeaderValueBytes is the longest value of a protocol header, in bytes.
	HeaderValueBytes int
	// MessagesPerAppend is the largest number of JSON messages in one append.
	MessagesPerAppend int
	// QueryBytes is the longest query string, in bytes.
	QueryBytes int
	// JSONDepth is how deep JSON arrays and objects may nest.
	JSONDepth int
}

// DefaultLimits are the limits when nothing is configured.
func DefaultLimits() Limits {
	return Limits{
		BodyBytes:         64 << 20,
		PathBytes:         1024,
		HeaderValueBytes:  1024,
		QueryBytes:        4096,
		MessagesPerAppend: 65_536,
		JSONDepth:         512,
	}
}
