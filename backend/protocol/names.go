package protocol

// Root is the URL prefix under which streams live.
const Root = "/v1/stream/"

// RegistryPath is the system stream that announces created, closed and deleted
// streams.
const RegistryPath = "__registry__"

// ControlPrefix is the first path segment reserved for the subscription APIs
// (PROTOCOL §6).
const ControlPrefix = "__ds"

// Header names as the specification spells them. net/http would canonicalise
// Stream-TTL to Stream-Ttl; responses assign these keys to the header map
// directly so that the spelling survives, requests are looked up by the
// canonical form.
const (
	HeaderStreamNextOffset      = "Stream-Next-Offset"
	HeaderStreamCursor          = "Stream-Cursor"
	HeaderStreamUpToDate        = "Stream-Up-To-Date"
	HeaderStreamClosed          = "Stream-Closed"
	HeaderStreamSeq             = "Stream-Seq"
	HeaderStreamTTL             = "Stream-TTL"
	HeaderStreamExpiresAt       = "Stream-Expires-At"
	HeaderStreamForkedFrom      = "Stream-Forked-From"
	HeaderStreamForkOffset      = "Stream-Fork-Offset"
	HeaderStreamForkSubOffset   = "Stream-Fork-Sub-Offset"
	HeaderProducerID            = "Producer-Id"
	HeaderProducerEpoch         = "Producer-Epoch"
	HeaderProducerSeq           = "Producer-Seq"
	HeaderProducerExpectedSeq   = "Producer-Expected-Seq"
	HeaderProducerReceivedSeq   = "Producer-Received-Seq"
	HeaderStreamSSEDataEncoding = "Stream-SSE-Data-Encoding"
)

// Query parameters of a read (PROTOCOL §5.6–5.8).
const (
	QueryOffset = "offset"
	QueryLive   = "live"
	QueryCursor = "cursor"
)

// Values of the live parameter.
const (
	LiveLongPoll = "long-poll"
	LiveSSE      = "sse"
)

// IsTrue reports whether a Stream-Closed value means closed: exactly "true" in
// any case; anything else counts as absent (PROTOCOL §4.1).
func IsTrue(v string) bool {
	return len(v) == 4 && (v[0]|0x20) == 't' && (v[1]|0x20) == 'r' && (v[2]|0x20) == 'u' && (v[3]|0x20) == 'e'
}
