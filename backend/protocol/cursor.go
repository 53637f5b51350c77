package protocol

import (
	"strconv"
	"time"
)

// Cursors count 20-second intervals since the protocol's epoch, 2024-10-09
// 00:00 UTC (PROTOCOL §10.1).
const (
	cursorInterval = 20 * time.Second
	cursorEpoch    = 1728432000 // unix seconds
	// maxCursorJitter is the largest number of seconds a cursor is moved ahead
	// when a client echoes the current one.
	maxCursorJitter = 3600
	// maxCursor leaves room above any client's cursor: the next one must still be
	// greater.
	maxCursor = int64(1)<<62 - 1
)

// NextCursor returns the cursor of a live response at now. When the client's
// own cursor is not behind the current interval, the result is strictly greater
// than it: by jitter seconds (1 to 3600; drawn by the caller) rounded up to
// intervals. A client cursor that is no decimal number counts as absent.
func NextCursor(now time.Time, client string, jitter int) string {
	// A cursor is digits only, even when the clock stands before the epoch.
	current := max(now.Unix()-cursorEpoch, 0) / int64(cursorInterval/time.Second)
	if !isDigits(client) {
		return strconv.FormatInt(current, 10)
	}
	c, err := strconv.ParseInt(client, 10, 64)
	if err != nil || c > maxCursor {
		c = maxCursor
	}
	if c < current {
		return strconv.FormatInt(current, 10)
	}
	step := (int64(min(max(jitter, 1), maxCursorJitter)) + 19) / 20
	return strconv.FormatInt(c+step, 10)
}
