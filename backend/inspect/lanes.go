package inspect

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"tailrace/backend/journal"
	"tailrace/backend/protocol"
)

const (
	// laneBins is into how many steps of time a lane is divided: marks of one step
	// are one.
	laneBins = 240
	// laneEntries is how many requests are looked at; what is older does not show.
	laneEntries = 20_000
	// laneProducers is how many producers have lanes: those that sent something last.
	laneProducers = 100
)

type lanesInput struct {
	PathInput
	Seconds int64  `query:"seconds" minimum:"1" maximum:"86400" default:"60"`
	Q       string `query:"q" doc:"In the producer's id, whatever the case."`
}

// LaneList is what became of the appends of a stream's producers lately.
type LaneList struct {
	From      int64  `json:"from" doc:"Unix milliseconds."`
	To        int64  `json:"to"`
	Whole     bool   `json:"whole" doc:"The journal reaches back that far."`
	Lanes     []Lane `json:"lanes" nullable:"false" doc:"By producer and epoch; of 100 producers, those that sent something last."`
	Producers int    `json:"producers" doc:"Those that q selects and that have sent something, with lanes or not."`
}

// Lane is one epoch of a producer.
type Lane struct {
	Producer string     `json:"producer"`
	Epoch    int64      `json:"epoch"`
	Marks    []LaneMark `json:"marks" nullable:"false" doc:"The oldest first."`
}

// LaneMark is appends of one decision that were close together.
type LaneMark struct {
	At       int64  `json:"at" doc:"Unix milliseconds of the first."`
	Decision string `json:"decision"`
	Count    int    `json:"count"`
	Low      int64  `json:"low" doc:"The lowest sequence number."`
	High     int64  `json:"high" doc:"The highest."`
}

type lanesOutput struct{ Body LaneList }

func (s *Server) registerLanes(api huma.API) {
	huma.Register(api, operation(http.MethodGet, "/api/streams/{path}/lanes", "listLanes", "What became of producers' appends lately"), s.lanes)
}

func (s *Server) lanes(ctx context.Context, in *lanesInput) (*lanesOutput, error) {
	st, _, err := s.o.Store.Load(ctx, in.Path)
	if err != nil {
		return nil, problem(err)
	}
	to := s.o.Now()
	from := to.Add(-time.Duration(in.Seconds) * time.Second)
	step := max(1, in.Seconds*1000/laneBins)
	type key struct {
		producer string
		epoch    int64
	}
	type binKey struct {
		bin      int64
		decision journal.Decision
	}
	lanes := map[key]map[binKey]*LaneMark{}
	laned := map[string]bool{} // those selected: whether they have lanes
	q := strings.ToLower(in.Q)
	looked := 0
	s.o.Journal.Each(in.Path, func(e *journal.Entry) bool {
		// Requests are in the order in which they ended, and live reads last long.
		if e.At.Add(e.Took).Before(from) || looked == laneEntries {
			return false
		}
		looked++
		if e.At.Before(from) {
			return true
		}
		id := e.Header(protocol.HeaderProducerID)
		epoch, epochErr := strconv.ParseInt(e.Header(protocol.HeaderProducerEpoch), 10, 64)
		seq, seqErr := strconv.ParseInt(e.Header(protocol.HeaderProducerSeq), 10, 64)
		if id == "" || epochErr != nil || seqErr != nil || e.Incarnation != st.Incarnation || e.Method != http.MethodPost {
			return true
		}
		if _, known := laned[id]; !known {
			if !strings.Contains(strings.ToLower(id), q) {
				return true
			}
			laned[id] = len(laned) < laneProducers // the newest come first
		}
		if !laned[id] {
			return true
		}
		k := key{id, epoch}
		if lanes[k] == nil {
			lanes[k] = map[binKey]*LaneMark{}
		}
		at := e.At.UnixMilli()
		b := binKey{at / step, e.Decision}
		m := lanes[k][b]
		if m == nil {
			m = &LaneMark{Decision: e.Decision.String(), Low: seq, High: seq}
			lanes[k][b] = m
		}
		m.At, m.Low, m.High = at, min(m.Low, seq), max(m.High, seq)
		m.Count++
		return true
	})
	since := s.o.Journal.Extent().Since
	out := LaneList{
		From: from.UnixMilli(), To: to.UnixMilli(), Lanes: []Lane{}, Producers: len(laned),
		Whole: looked < laneEntries && !since.IsZero() && since.Before(from),
	}
	for k, marks := range lanes {
		lane := Lane{Producer: k.producer, Epoch: k.epoch, Marks: []LaneMark{}}
		for _, m := range marks {
			lane.Marks = append(lane.Marks, *m)
		}
		slices.SortFunc(lane.Marks, func(a, b LaneMark) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Decision, b.Decision)) })
		out.Lanes = append(out.Lanes, lane)
	}
	slices.SortFunc(out.Lanes, func(a, b Lane) int { return cmp.Or(cmp.Compare(a.Producer, b.Producer), cmp.Compare(a.Epoch, b.Epoch)) })
	return &lanesOutput{Body: out}, nil
}
