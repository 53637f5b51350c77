package inspect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tailrace/backend/protocol"
)

// export makes a file and checks what the API says about it against the bytes.
func (p *page) export(request string) (string, Export) {
	p.t.Helper()
	var e, after Export
	p.call("POST", "/api/exports", request, 201, &e)
	res := p.send("GET", e.URL, "", "Authorization: ")
	file, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		p.t.Fatalf("%s %v %s", res.Status, err, file)
	}
	p.call("GET", "/api/exports/"+e.ID, "", 200, &after)
	sum := sha256.Sum256(file)
	if after.State != "done" || after.Bytes != int64(len(file)) || after.SHA256 == nil || *after.SHA256 != hex.EncodeToString(sum[:]) {
		p.t.Errorf("the API says %+v of %q", after, file)
	}
	return string(file), after
}

func (p *page) create(path, contentType string, bodies ...string) {
	p.t.Helper()
	p.call("PUT", of(path, ""), fmt.Sprintf(`{"content_type":%q}`, contentType), 201, nil)
	for _, body := range bodies {
		b, err := json.Marshal(map[string][]byte{"body_base64": []byte(body)})
		if err != nil {
			p.t.Fatal(err)
		}
		p.call("POST", of(path, "/messages"), string(b), 200, nil)
	}
}

func TestExport(t *testing.T) {
	p := newPage(t)
	p.create("j", "application/json", `[{"n":9007199254740993},{"n": 1.0}]`, "[1,\n2]", "[[\n 3 ]]")
	p.create("t", "text/plain", "one\n", "zwei \"ä\"\u2028<&>\n", "drei")
	p.create("b", "application/octet-stream", "\xff\x00", "text")
	for name, tt := range map[string]struct{ request, file string }{
		"ndjson keeps digits, and each message to its line": {
			`{"stream":"j","format":"ndjson"}`, "{\"n\":9007199254740993}\n{\"n\": 1.0}\n1\n2\n[  3 ]\n",
		},
		"json keeps every byte":       {`{"stream":"j","format":"json"}`, "[\n{\"n\":9007199254740993},\n{\"n\": 1.0},\n1,\n2,\n[\n 3 ]\n]\n"},
		"a range by ordinals":         {`{"stream":"j","format":"ndjson","from":1,"to":3}`, "{\"n\": 1.0}\n1\n"},
		"a range within an append":    {`{"stream":"j","format":"ndjson","from":3,"to":4}`, "2\n"},
		"a range that reaches beyond": {`{"stream":"j","format":"ndjson","from":4,"to":400}`, "[  3 ]\n"},
		"a range behind the end":      {`{"stream":"j","format":"json","from":9}`, "[]\n"},
		"a range backwards":           {`{"stream":"j","format":"ndjson","from":3,"to":1}`, ""},
		"a range by offsets": {
			`{"stream":"t","format":"raw","from_offset":"0000000000000000_0000000000000004","to_offset":"0000000000000000_0000000000000020"}`,
			"zwei \"ä\"\u2028<&>\n",
		},
		"a filter's result":      {`{"stream":"j","format":"ndjson","by":"path","pattern":"$.n = 1"}`, "{\"n\": 1.0}\n"},
		"text as it is":          {`{"stream":"t","format":"raw"}`, "one\nzwei \"ä\"\u2028<&>\ndrei"},
		"text as lines of JSON":  {`{"stream":"t","format":"ndjson"}`, "\"one\\n\"\n\"zwei \\\"ä\\\"\\u2028<&>\\n\"\n\"drei\"\n"},
		"bytes that are no text": {`{"stream":"b","format":"ndjson"}`, "{\"base64\":\"/wA=\"}\n\"text\"\n"},
		"an array of bytes":      {`{"stream":"b","format":"json"}`, "[\n{\"base64\":\"/wA=\"},\n\"text\"\n]\n"},
		"bytes as they are":      {`{"stream":"b","format":"raw"}`, "\xff\x00text"},
	} {
		t.Run(name, func(t *testing.T) {
			file, _ := p.export(tt.request)
			if diff := cmp.Diff(tt.file, file); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("metadata", func(t *testing.T) {
		p.call("POST", of("b", "/messages"), `{"body":"x","producer":{"id":"a \"b\", c","epoch":1,"seq":0}}`, 200, nil)
		file, done := p.export(`{"stream":"b","format":"csv","from":1}`)
		lines := strings.Split(file, "\n")
		if len(lines) != 4 || lines[0] != "ordinal,offset,time,size,producer_id,producer_epoch,producer_seq,append_first" ||
			!strings.HasPrefix(lines[1], "1,0000000000000000_0000000000000002,20") || !strings.HasSuffix(lines[1], "Z,4,,,,1") ||
			!strings.HasSuffix(lines[2], `Z,1,"a ""b"", c",1,0,2`) || done.Messages != 2 || done.Name != "b.csv" {
			t.Errorf("%q %+v", lines, done)
		}
	})
}

func TestExportIsRefused(t *testing.T) {
	p := newPage(t)
	p.create("j", "application/json", "[1]")
	p.create("t", "text/plain", "four")
	for name, tt := range map[string]struct {
		request string
		status  int
		says    string
	}{
		"no stream":              {`{"stream":"x","format":"json"}`, 404, "no stream"},
		"raw JSON":               {`{"stream":"j","format":"raw"}`, 400, "use ndjson"},
		"an unknown format":      {`{"stream":"j","format":"xml"}`, 422, "one of"},
		"a wrong filter":         {`{"stream":"j","format":"json","by":"regex","pattern":"("}`, 400, "regular expression"},
		"no offset":              {`{"stream":"j","format":"json","from_offset":"x"}`, 400, "from_offset"},
		"an offset of another":   {`{"stream":"j","format":"json","to_offset":"0000000000000007_0000000000000000"}`, 400, "to_offset"},
		"offset within":          {`{"stream":"t","format":"raw","from_offset":"0000000000000000_0000000000000002"}`, 400, "within message 0"},
		"an offset past the end": {`{"stream":"t","format":"raw","to_offset":"0000000000000000_0000000000000005"}`, 400, "ends at"},
	} {
		t.Run(name, func(t *testing.T) {
			res := p.send("POST", "/api/exports", tt.request)
			if b, _ := io.ReadAll(res.Body); res.StatusCode != tt.status || !strings.Contains(string(b), tt.says) {
				t.Errorf("%s %s", res.Status, b)
			}
		})
	}
	t.Run("a file is fetched once", func(t *testing.T) {
		_, e := p.export(`{"stream":"j","format":"json"}`)
		for path, status := range map[string]int{e.URL: 410, "/api/exports/guess/file": 404} {
			if res := p.send("GET", path, "", "Authorization: "); res.StatusCode != status {
				t.Errorf("%s: %s, want %d", path, res.Status, status)
			}
		}
		if res := p.send("GET", "/api/exports/"+e.ID, "", "Authorization: "); res.StatusCode != 401 {
			t.Errorf("the answer without a token: %s", res.Status)
		}
	})
}

// A file that cannot be sent whole is an error or breaks off, and the API says so.
func TestExportFails(t *testing.T) {
	p := newPage(t)
	var e, after Export
	t.Run("when the stream is deleted", func(t *testing.T) {
		for { // until the collector has come by before the export
			p.create("t", "text/plain", strings.Repeat("a", 100))
			for range 3 {
				p.create("x"+randomText(4), "text/plain", strings.Repeat("b", 400)) // pushes it out of memory
			}
			p.call("POST", "/api/exports", `{"stream":"t","format":"raw"}`, 201, &e)
			p.call("DELETE", of("t", ""), "", 204, nil)
			res := p.send("GET", e.URL, "")
			b, err := io.ReadAll(res.Body)
			if res.StatusCode == 200 && err == nil && len(b) == 100 {
				continue
			}
			if res.StatusCode == 200 && err == nil {
				t.Errorf("%d bytes, as if that were all", len(b))
			}
			break
		}
		p.call("GET", "/api/exports/"+e.ID, "", 200, &after)
		if after.State != "failed" || after.Error == nil || after.SHA256 != nil {
			t.Errorf("%+v", after)
		}
	})
	t.Run("when the client leaves", func(t *testing.T) {
		p.create("large", "text/plain")
		for range 12 {
			p.imports("large", "format=raw&id="+randomText(4), strings.Repeat("a", 1<<20))
		}
		p.call("POST", "/api/exports", `{"stream":"large","format":"raw"}`, 201, &e)
		res := p.send("GET", e.URL, "")
		if _, err := io.ReadFull(res.Body, make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		for after.State = "running"; after.State == "running" && t.Context().Err() == nil; {
			p.call("GET", "/api/exports/"+e.ID, "", 200, &after)
		}
		if after.State != "failed" || *after.Error != "it was not fetched to its end" || after.SHA256 != nil {
			t.Errorf("%+v", after)
		}
	})
}

// imports sends a file; a status of 200 means that it was taken.
func (p *page) imports(path, query, file string) (int, ImportResult, string) {
	p.t.Helper()
	res := p.send("POST", of(path, "/import?"+query), file, "Content-Type: application/octet-stream")
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var r ImportResult
	if res.StatusCode == http.StatusOK {
		if err := json.Unmarshal(b, &r); err != nil {
			p.t.Fatal(err)
		}
	}
	return res.StatusCode, r, string(b)
}

// What is exported and imported again is the same, and is not appended twice.
func TestImportIsTheInverse(t *testing.T) {
	p := newPage(t)
	var many []string
	for i := range 5000 {
		many = append(many, fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%300)))
	}
	p.create("j", "application/json", `[{"n":9007199254740993},[1.0, 2],"]\""]`, "["+strings.Join(many, ",")+"]")
	p.create("t", "text/plain; charset=utf-8", "one\n", "zwei \"ä\"\u2028\n")
	p.create("b", "application/octet-stream", "\xff\x00", "text")
	for _, tt := range []struct{ from, format, contentType string }{
		{"j", "ndjson", "application/json"},
		{"t", "ndjson", "text/plain; charset=utf-8"},
		{"b", "ndjson", "application/octet-stream"},
		{"j", "json", "application/json"},
		{"t", "json", "text/plain; charset=utf-8"},
		{"b", "json", "application/octet-stream"},
		{"t", "raw", "text/plain; charset=utf-8"},
		{"b", "raw", "application/octet-stream"},
	} {
		t.Run(tt.from+" as "+tt.format, func(t *testing.T) {
			file, e := p.export(fmt.Sprintf(`{"stream":%q,"format":%q}`, tt.from, tt.format))
			to := tt.from + "/" + tt.format
			query := url.Values{"format": {tt.format}, "content_type": {tt.contentType}, "id": {"one"}}
			_, dry, _ := p.imports(to, query.Encode()+"&dry_run=true", file)
			if dry.Messages < 1 || dry.SHA256 != *e.SHA256 || dry.Appended != 0 || dry.Created {
				t.Errorf("the dry run says %+v", dry)
			}
			if res := p.send("GET", of(to, ""), ""); res.StatusCode != 404 {
				t.Error("the dry run has made the stream")
			}
			status, first, text := p.imports(to, query.Encode(), file)
			if status != 200 || !first.Created || first.Appended != dry.Messages || first.Duplicates != 0 || first.SHA256 != *e.SHA256 {
				t.Errorf("%s", text)
			}
			_, again, _ := p.imports(to, query.Encode(), file)
			if again.Created || again.Appended != 0 || again.Duplicates != dry.Messages || *again.NextOffset != *first.NextOffset {
				t.Errorf("the second time: %+v", again)
			}
			back, _ := p.export(fmt.Sprintf(`{"stream":%q,"format":%q}`, to, tt.format))
			if back != file {
				t.Errorf("it came back as %.200q", back)
			}
			var was, is Stream
			p.call("GET", of(tt.from, ""), "", 200, &was)
			p.call("GET", of(to, ""), "", 200, &is)
			if is.ContentType != was.ContentType || is.Bytes != was.Bytes || tt.format != "raw" && is.Messages != was.Messages {
				t.Errorf("the stream is %+v instead of %+v", is, was)
			}
			_, other, _ := p.imports(to, "format="+tt.format+"&id=two", file)
			if other.Appended != dry.Messages {
				t.Errorf("under another id: %+v", other)
			}
		})
	}
}

func TestImportIsRefused(t *testing.T) {
	p := newPage(t)
	p.create("j", "application/json")
	p.create("t", "text/plain")
	p.create("k", "application/json")
	p.create("closed", "application/json")
	p.call("POST", of("closed", "/close"), "", 200, nil)
	good := strings.Repeat("1\n", 1500)
	for name, tt := range map[string]struct {
		path, query, file string
		status            int
		says              string
		messages          int64
	}{
		"a bad line":               {"j", "format=ndjson&id=a", "1\n\n{\"a\":}\n", 400, `line 3: body: invalid JSON: '}' at byte 5; expected a value; nothing was appended`, 0},
		"two values in a line":     {"j", "format=ndjson&id=a", "1 2\n", 400, "line 1: ", 0},
		"a comma":                  {"j", "format=ndjson&id=a", "1,2\n", 400, "line 1: ", 0},
		"what was appended":        {"j", "format=ndjson&id=b", good + "nope\n", 400, "line 1501: body: invalid JSON: 'o' at byte 1; expected null; the first 1000 messages of the file have been appended", 1000},
		"no UTF-8":                 {"j", "format=ndjson&id=a", "\"\xff\"\n", 400, "line 1: ", 0},
		"no string":                {"t", "format=ndjson&id=a", "\"a\"\n17\n", 400, `line 2: a message of a stream that is not JSON is a string, or {"base64":"…"}; the first 1 messages`, 1},
		"half a pair":              {"t", "format=ndjson&id=c", `"\ud800"`, 400, "line 1: half of a surrogate pair", 1},
		"an empty message":         {"t", "format=ndjson&id=c", `""`, 400, "line 1: ", 1},
		"bad base64":               {"t", "format=ndjson&id=c", `{"base64":"?"}`, 400, "line 1: base64", 1},
		"a bad element":            {"j", "format=json&id=d", `[1,{"a":}]`, 400, `element 2: body: invalid JSON: '}' at byte 5; expected a value; nothing was appended`, 1000},
		"no comma":                 {"j", "format=json&id=d", "[1 2]", 400, "element 1: ", 1000},
		"a comma too many":         {"j", "format=json&id=d", "[1,]", 400, "element 2: ", 1000},
		"brackets that differ":     {"j", "format=json&id=d", `[{"a":1],2]`, 400, "element 1: ", 1000},
		"an element that is none":  {"j", "format=json&id=d", "[}]", 400, "element 1: ", 1000},
		"lines as an array":        {"j", "format=json&id=d", "{}\n{}\n", 400, "no array: the file begins with '{'; with a message on each line it is ndjson", 1000},
		"nothing as an array":      {"j", "format=json&id=d", " \n", 400, "no array: the file is empty", 1000},
		"behind the array":         {"j", "format=json&id=d", "[1,2]\n[3]", 400, "behind the array: '['; a file holds one array, and nothing else; nothing was appended", 1000},
		"behind an empty array":    {"j", "format=json&id=d", "[]]", 400, "behind the array: ']'", 1000},
		"an array that breaks off": {"k", "format=json&id=d", "[" + strings.Repeat("1,", 1500), 400, "element 1501: the file ends within the array; the first 1000 messages of the file have been appended", 1000},
		"a string that breaks off": {"j", "format=json&id=d", `["a\"]`, 400, "element 1: the file ends within the array", 1000},
		"an element that is 17":    {"t", "format=json&id=d", `[17]`, 400, "element 1: a message of a stream that is not JSON is a string", 1},
		"raw bytes as JSON":        {"j", "format=raw&id=a", "1", 400, "import ndjson", 1000},
		"no id":                    {"j", "format=ndjson", "1", 400, "id: ", 1000},
		"a closed stream":          {"closed", "format=ndjson&id=a", "1", 409, "closed at offset 0000000000000000_0000000000000000; nothing was appended", 0},
		"the registry":             {protocol.RegistryPath, "format=ndjson&id=a", "1", 403, "system", -1},
		"a reserved path":          {"__ds/x", "format=ndjson&id=a", "1", 403, "system", -1},
		"a bad content type":       {"new", "format=ndjson&id=a&content_type=x", "1", 400, "Content-Type", -1},
		"a bad line, in a dry run": {"j", "format=ndjson&dry_run=true", good + "nope\n", 400, "line 1501: body: invalid JSON: 'o' at byte 1; expected null\"", 1000},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, text := p.imports(tt.path, tt.query, tt.file)
			text = strings.NewReplacer(`\"`, `"`, `\u0026`, "&").Replace(text)
			if status != tt.status || !strings.Contains(text, tt.says) {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	for path, want := range map[string]int64{"j": 1000, "k": 1000, "t": 1} {
		var s Stream
		if p.call("GET", of(path, ""), "", 200, &s); s.Messages != want {
			t.Errorf("%s has %d messages, want %d", path, s.Messages, want)
		}
	}
	// The line mended, the rest follows what is there.
	if _, r, text := p.imports("j", "format=ndjson&id=b", good+"2\n"); r.Duplicates != 1000 || r.Appended != 501 {
		t.Error(text)
	}
	array := "[" + strings.Repeat("1,", 1500) + "2]"
	if _, r, text := p.imports("k", "format=json&id=d", array); r.Duplicates != 1000 || r.Appended != 501 {
		t.Error(text)
	}
	// Read in another way, the same file is something else.
	if _, r, text := p.imports("k", "format=ndjson&id=d", array); r.Appended != 1 {
		t.Error(text)
	}
	if res := p.send("GET", of("new", ""), ""); res.StatusCode != 404 {
		t.Error("a refused import has made a stream")
	}
}

// An upload that breaks off leaves whole appends, which another try goes on from.
func TestImportBreaksOff(t *testing.T) {
	p := newPage(t)
	file := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	req, err := http.NewRequest("POST", p.url+of("b", "/import?format=raw&id=a"), io.MultiReader(bytes.NewReader(file[:2<<20+7]), failing{}))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.gate.Token())
	if res, err := http.DefaultClient.Do(req); err == nil {
		res.Body.Close()
		t.Fatalf("%s", res.Status)
	}
	_, r, text := p.imports("b", "format=raw&id=a", string(file))
	if r.Duplicates+r.Appended != 3 || r.Appended < 1 {
		t.Errorf("%s", text)
	}
	if back, _ := p.export(`{"stream":"b","format":"raw"}`); back != string(file) {
		t.Errorf("%d bytes came back, which are not those of the file", len(back))
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, fmt.Errorf("unplugged") }
