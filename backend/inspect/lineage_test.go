package inspect

import (
	"fmt"
	"strings"
	"testing"
)

func TestLineage(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("a", ""), `{"content_type":"application/json","body":"[1,22,333]"}`, 201, nil)
	p.call("PUT", of("a/b", ""), `{"fork":{"of":"a","offset":"0000000000000000_0000000000000000","sub_offset":2}}`, 201, nil)
	p.call("POST", of("a/b", "/messages"), `{"body":"4444"}`, 200, nil)
	p.call("PUT", of("a/b/c", ""), `{"fork":{"of":"a/b"}}`, 201, nil)
	p.call("PUT", of("a/d", ""), `{"fork":{"of":"a"}}`, 201, nil)
	p.call("PUT", of("lone", ""), `{}`, 201, nil)
	p.call("DELETE", of("a", ""), "", 204, nil)

	const whole = `0 a deleted, 2 forks
1 a/b: 2 messages, 3 bytes, behind 0000000000000000_0000000000000002, 1 forks
2 a/b/c: 3 messages, 7 bytes, behind 0000000000000000_0000000000000003
1 a/d: 3 messages, 6 bytes, behind 0000000000000000_0000000000000003
`
	for path, want := range map[string]string{"a": whole, "a/b": whole, "a/b/c": whole, "a/d": whole, "lone": "0 lone\n"} {
		var got Lineage
		p.call("GET", of(path, "/lineage"), "", 200, &got)
		var b strings.Builder
		for _, k := range got.Family {
			fmt.Fprintf(&b, "%d %s", k.Depth, k.Stream.Path)
			if k.Inherited != nil {
				fmt.Fprintf(&b, ": %d messages, %d bytes, behind %s", k.Inherited.Messages, k.Inherited.Bytes, k.Inherited.Offset)
			}
			if k.Stream.Deleted {
				b.WriteString(" deleted")
			}
			if k.Stream.Forks > 0 {
				fmt.Fprintf(&b, ", %d forks", k.Stream.Forks)
			}
			b.WriteString("\n")
		}
		if b.String() != want || !got.Whole {
			t.Errorf("family of %s, whole %v:\n%swant\n%s", path, got.Whole, b.String(), want)
		}
	}
	p.call("GET", of("nothing", "/lineage"), "", 404, nil)
}

func TestLineageOfALargeFamily(t *testing.T) {
	p := newPage(t)
	p.call("PUT", of("root", ""), `{"body":"x"}`, 201, nil)
	for i := range maxFamily + 1 {
		p.call("PUT", of(fmt.Sprint("fork/", i), ""), `{"fork":{"of":"root"}}`, 201, nil)
	}
	p.call("PUT", of("below", ""), fmt.Sprintf(`{"fork":{"of":"fork/%d"}}`, maxFamily), 201, nil)
	var got Lineage
	p.call("GET", of("below", "/lineage"), "", 200, &got)
	var paths []string
	for _, k := range got.Family {
		paths = append(paths, fmt.Sprint(k.Depth, " ", k.Stream.Path))
	}
	if want := fmt.Sprintf("0 root 1 fork/%d 2 below", maxFamily); strings.Join(paths, " ") != want || got.Whole {
		t.Errorf("family %v, whole %v", paths, got.Whole)
	}
	p.call("GET", of("root", "/lineage"), "", 200, &got)
	if len(got.Family) != maxFamily || got.Whole {
		t.Errorf("%d of the family, whole %v", len(got.Family), got.Whole)
	}
}
