package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"tailrace/backend"
	"tailrace/backend/config"
	"tailrace/backend/inspect"
	"tailrace/backend/snapshot/bucket"
	"tailrace/backend/store"
)

// folder are the flags of commands on a data folder, served or not.
type folder struct {
	folderFlags `embed:""`
	JSON        bool `name:"json" help:"Print the result as JSON."`
}

// api is the inspector API of a data folder.
type api struct {
	inv    *invocation
	client *http.Client
	url    string
	token  string
	close  func() error
	// offline: no server runs on the folder; the API ends with this process.
	offline bool
}

// need is what a command wants of the log in its data folder.
type need int

const (
	// needsLog: there must be one.
	needsLog need = iota
	// makesLog: one is made where there is none.
	makesLog
	// anyLog: it is looked at where there is one.
	anyLog
)

// use opens the API of a data folder: that of the server that runs on it, else one
// within this process. A damaged log stays as it is.
func (inv *invocation) use(f *folder, n need) (*api, error) {
	loaded, err := inv.load(f.Config)
	if err != nil {
		return nil, err
	}
	offline, err := backend.OpenOffline(inv.options(loaded.Config, inv.logger("warn")), n == makesLog)
	var running *backend.AlreadyRunningError
	var damaged *store.DamagedError
	switch {
	case err == nil:
		return inv.within(offline, func() error { return nil }), nil
	case n == anyLog && (errors.Is(err, backend.ErrNoLog) || errors.As(err, &damaged)):
		return inv.useNone(loaded.Config)
	case errors.Is(err, backend.ErrNoLog):
		return nil, &jobError{kind: "not_found", text: "there is no log in " + loaded.Config.DataDir + "; name its folder with --data-dir"}
	case errors.As(err, &damaged):
		return nil, &jobError{kind: "damaged", text: err.Error() + "; nothing was changed. Restore a backup into another folder, or start `tailrace serve`, which keeps the damaged log beside a new one"}
	case errors.As(err, &running) && running.Run.PID != 0:
		// No proxy: the server is on this machine, whatever HTTP_PROXY says.
		client := &http.Client{Transport: &http.Transport{}}
		return &api{inv: inv, client: client, url: running.Run.InspectorURL, token: running.Run.Token, close: func() error { return nil }}, nil
	}
	return nil, err
}

// useNone opens the API on a log with nothing in it, which goes with the command.
func (inv *invocation) useNone(c config.Config) (*api, error) {
	var err error
	if c.DataDir, err = os.MkdirTemp("", "tailrace-"); err != nil {
		return nil, err
	}
	remove := func() error { return os.RemoveAll(c.DataDir) }
	offline, err := backend.OpenOffline(inv.options(c, inv.logger("warn")), true)
	if err != nil {
		return nil, errors.Join(err, remove())
	}
	return inv.within(offline, remove), nil
}

func (inv *invocation) within(o *backend.Offline, after func() error) *api {
	return &api{inv: inv, client: o.Client(), url: "http://localhost", token: o.Token(), offline: true, close: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		return errors.Join(o.Close(ctx), after())
	}}
}

// send makes a call and returns its answer, unless that is a refusal.
func (a *api) send(method, path string, body io.Reader, contentType string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(a.inv.ctx, method, a.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := a.client.Do(req)
	if a.inv.ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	if err != nil {
		return nil, fmt.Errorf("the server does not answer: %w", err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	var refusal struct {
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	if json.Unmarshal(text, &refusal) != nil || refusal.Detail == "" {
		refusal.Detail = "no reason given"
	}
	for _, e := range refusal.Errors {
		refusal.Detail += fmt.Sprintf("; %s: %s", e.Location, e.Message)
	}
	return nil, &callError{status: res.StatusCode, detail: refusal.Detail}
}

// callError is a refusal, with the status that tells its kind.
type callError struct {
	status int
	detail string
}

func (e *callError) Error() string { return e.detail }

func (e *callError) exitStatus() int {
	switch e.status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return exitUsage
	case http.StatusBadGateway:
		return exitTarget
	case http.StatusNotFound, http.StatusGone, http.StatusConflict:
		return exitConflict
	}
	return exitFailed
}

// call sends a JSON document and reads one.
func (a *api) call(method, path string, in, out any) error {
	var body io.Reader
	contentType := ""
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, contentType = bytes.NewReader(data), "application/json"
	}
	res, err := a.send(method, path, body, contentType)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(out); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}

// pollEvery is how long one question for a job's end waits, in milliseconds.
const pollEvery = 500

// run starts a job and waits for its end. It shows progress on a terminal; when
// the command is interrupted, the job is cancelled.
func (a *api) run(path string, in any) (inspect.Job, error) {
	var j inspect.Job
	if err := a.call(http.MethodPost, path, in, &j); err != nil {
		return j, err
	}
	at := "/api/jobs/" + strconv.FormatInt(j.ID, 10)
	terminal := isTerminal(a.inv.stderr)
	for j.State == "running" {
		err := a.call(http.MethodGet, at+"?wait="+strconv.Itoa(pollEvery), nil, &j)
		if a.inv.ctx.Err() != nil {
			return j, errors.Join(errors.New("interrupted"), a.cancel(at))
		}
		if err != nil {
			return j, err
		}
		if terminal && j.State == "running" {
			fmt.Fprintf(a.inv.stderr, "\r\x1b[K%s", progressLine(&j))
		}
	}
	if terminal {
		fmt.Fprint(a.inv.stderr, "\r\x1b[K")
	}
	if j.Error != nil {
		return j, &jobError{kind: *j.Problem, text: *j.Error}
	}
	return j, nil
}

// cancel ends a job whose command was interrupted.
func (a *api) cancel(at string) error {
	ctx, stop := context.WithTimeout(context.Background(), askTimeout)
	defer stop()
	inv := *a.inv
	inv.ctx = ctx
	b := *a
	b.inv = &inv
	return b.call(http.MethodDelete, at, nil, nil)
}

// jobError is why a job failed.
type jobError struct{ kind, text string }

func (e *jobError) Error() string { return e.text }

func (e *jobError) exitStatus() int {
	switch e.kind {
	case "damaged", "version", "no_snapshot":
		return exitDamaged
	case "path_taken", "not_found":
		return exitConflict
	case "request":
		return exitUsage
	case "other":
		return exitFailed
	}
	return exitTarget
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func progressLine(j *inspect.Job) string {
	line := fmt.Sprintf("%s %s: %s", j.Kind, j.Subject, sizeText(j.Bytes))
	if j.Total != nil && *j.Total > 0 {
		line += fmt.Sprintf(" of %s (%d%%)", sizeText(*j.Total), min(100, 100*j.Bytes / *j.Total))
	}
	return line + fmt.Sprintf(", %s/s", sizeText(j.Rate))
}

// countText is a count with its noun.
func countText(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// sizeText is a size for people.
func sizeText(n int64) string {
	const units = "KMGTP"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/1000, 0
	for f >= 1000 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	return fmt.Sprintf("%.1f %cB", f, units[i])
}

// place are the flags that say where snapshots lie.
type place struct {
	Target    string `placeholder:"NAME" group:"Place" help:"A target of the configuration."`
	Endpoint  string `placeholder:"URL" group:"Place" help:"Address of the S3 server, such as http://127.0.0.1:9000 (default AWS)."`
	Region    string `placeholder:"NAME" group:"Place" help:"Region of the bucket."`
	PathStyle bool   `group:"Place" help:"Name the bucket in the path instead of the host name, as most servers besides AWS want."`
	Keyring   string `placeholder:"ENTRY" group:"Place" help:"Take the keys from this entry of the system's keyring (service tailrace, ACCESS:SECRET)."`
}

const placeHelp = `

Keys of a bucket come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of this command, else from what the server has: its own variables, ~/.aws/credentials, or a role of the machine.`

// at is the place as the API takes it. Keys in this command's environment go with
// it.
func (p *place) at(inv *invocation, location string) (inspect.Place, error) {
	out := inspect.Place{Target: p.Target, Endpoint: p.Endpoint, Region: p.Region, PathStyle: p.PathStyle, Keyring: p.Keyring}
	var err error
	if out.Location, err = absolute(location); err != nil {
		return out, err
	}
	out.Credentials = inv.keys()
	return out, nil
}

// keys are the AWS keys of the environment, nil when there are none.
func (inv *invocation) keys() *inspect.Credentials {
	c := &inspect.Credentials{
		AccessKey: inv.env("AWS_ACCESS_KEY_ID"), SecretKey: inv.env("AWS_SECRET_ACCESS_KEY"), SessionToken: inv.env("AWS_SESSION_TOKEN"),
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		return nil
	}
	return c
}

// scheme is how URLs begin; drives of Windows have one letter.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:/`)

// absolute makes a path independent of the working folder.
func absolute(location string) (string, error) {
	if location == "" || bucket.IsS3(location) {
		return location, nil
	}
	if rest, ok := strings.CutPrefix(location, "file://"); ok {
		location = rest
	} else if scheme.MatchString(location) {
		return "", &usageError{fmt.Errorf("%q is neither a folder nor s3://BUCKET/PREFIX; a folder of such a name is ./%s", location, location)}
	}
	return filepath.Abs(location)
}

// print writes a result: as JSON, or as text for people.
func (inv *invocation) print(asJSON bool, result any, text string) error {
	if !asJSON {
		fmt.Fprintln(inv.stdout, strings.TrimRight(text, "\n"))
		return nil
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(inv.stdout, "%s\n", data)
	return nil
}

// with opens the API, does something with it and closes it. With --json a failure
// is printed as a document, too.
func (inv *invocation) with(f *folder, n need, do func(*api) error) error {
	a, err := inv.use(f, n)
	if err == nil {
		err = errors.Join(do(a), a.close())
	}
	return inv.fail(f, err)
}

// fail prints a failure as a document when JSON is wanted, and returns it.
func (inv *invocation) fail(f *folder, err error) error {
	if err != nil && f.JSON {
		failure := map[string]string{"error": err.Error(), "problem": "other"}
		var job *jobError
		if errors.As(err, &job) {
			failure["problem"] = job.kind
		}
		_ = inv.print(true, failure, "") // the error itself follows
	}
	return err
}

func dayText(ms int64) string { return time.UnixMilli(ms).Format("2006-01-02 15:04:05") }
