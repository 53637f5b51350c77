package journal

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tailrace/backend/protocol"
)

// Words says what became of a request in a few words.
func (e *Entry) Words() string {
	text := e.outcome()
	if producer := e.Header(protocol.HeaderProducerID); producer != "" && e.Decision >= Stored && e.Decision <= Closed {
		text = cut(producer, maxName) + ": " + text
	}
	return text
}

func (e *Entry) outcome() string {
	if e.Rejected() || e.Reason != "" {
		return e.Reason
	}
	switch e.Decision {
	case Stored:
		return e.messages() + e.triple() + e.ending()
	case Duplicate:
		if e.Closes {
			return "closed already"
		}
		return "seq " + e.Header(protocol.HeaderProducerSeq) + " ≤ last " + strconv.FormatInt(e.Last, 10)
	case Closed:
		return "closed at " + position(e.Next) + e.triple()
	case Created:
		return e.created()
	case Exists:
		return "was there already, with the same settings"
	case Deleted:
		return "deleted"
	case Read:
		return e.read()
	case Live:
		return e.live()
	case Unchanged:
		return "the client has it already"
	case Left:
		return "the client left before the answer"
	}
	return ""
}

// messages tells which were written.
func (e *Entry) messages() string {
	switch e.Count {
	case 0:
		return "no message"
	case 1:
		return "message " + strconv.FormatInt(e.First, 10)
	}
	return fmt.Sprintf("messages %d to %d", e.First, e.First+e.Count-1)
}

func (e *Entry) triple() string {
	seq := e.Header(protocol.HeaderProducerSeq)
	if seq == "" {
		return ""
	}
	return ", epoch " + e.Header(protocol.HeaderProducerEpoch) + " seq " + seq
}

func (e *Entry) ending() string {
	if e.Closes {
		return ", then closed"
	}
	return ""
}

func (e *Entry) created() string {
	text := e.Header("Content-Type")
	if text == "" {
		text = protocol.DefaultContentType
	}
	if from := e.Header(protocol.HeaderStreamForkedFrom); from != "" {
		text = "fork of " + strings.TrimPrefix(from, protocol.Root)
	}
	if e.Count > 0 {
		text += ", " + e.messages()
	}
	return text + e.ending()
}

// ends of reads are positions: byte counts, for JSON message ordinals.
func (e *Entry) read() string {
	if e.Method == http.MethodHead {
		return "tail " + position(e.Next)
	}
	if e.From == e.Next {
		return "nothing behind " + position(e.From)
	}
	return position(e.From) + " to " + position(e.Next)
}

func (e *Entry) live() string {
	mode := "long-poll"
	if strings.Contains(e.Query, protocol.QueryLive+"="+protocol.LiveSSE) {
		mode = "SSE"
	}
	took := fmt.Sprintf("%d ms", e.Took.Milliseconds())
	if e.Took >= time.Second {
		took = fmt.Sprintf("%.1f s", e.Took.Seconds())
	}
	if e.From == e.Next {
		return fmt.Sprintf("%s at %s, nothing new for %s", mode, position(e.From), took)
	}
	return fmt.Sprintf("%s from %s to %s within %s", mode, position(e.From), position(e.Next), took)
}

func position(n int64) string { return strconv.FormatInt(n, 10) }
