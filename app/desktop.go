//go:build desktop

package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/wailsapp/wails/v2"
	"github.com/wailsapp/wails/v2/pkg/logger"
	"github.com/wailsapp/wails/v2/pkg/options"
	"github.com/wailsapp/wails/v2/pkg/options/assetserver"
	"github.com/wailsapp/wails/v2/pkg/options/linux"
	"github.com/wailsapp/wails/v2/pkg/options/mac"
	"github.com/wailsapp/wails/v2/pkg/options/windows"
	wails_runtime "github.com/wailsapp/wails/v2/pkg/runtime"

	"tailrace/app/window"
	"tailrace/backend"
	"tailrace/backend/config"
)

const buildKind = "desktop"

// window opens the window and serves until it is closed. Where no window can be
// opened it says so and serves without one.
func (inv *invocation) window(c config.Config, readyFile string) error {
	if !window.HasDisplay(runtime.GOOS, inv.env) {
		return inv.serveInstead(c, readyFile, "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)")
	}

	d := &desktop{inv: inv, config: c, readyFile: readyFile, log: inv.logger(c.LogLevel), closed: make(chan struct{})}
	startErr := d.begin()
	if errors.Is(startErr, errHasWindow) {
		fmt.Fprintf(inv.stderr, "tailrace: already running on %s: its window comes to the front\n", c.DataDir)
		return nil
	}
	if startErr != nil {
		d.log.Error("no server; the window says why", "err", startErr)
	}

	err := d.run()
	closeErr := d.close()
	if errors.Is(err, errNoWindow) {
		if startErr != nil {
			return errors.Join(startErr, closeErr)
		}
		return errors.Join(closeErr, inv.serveInstead(c, readyFile, err.Error()))
	}
	return errors.Join(d.lastError(), err, closeErr)
}

func (inv *invocation) serveInstead(c config.Config, readyFile, why string) error {
	fmt.Fprintf(inv.stderr, "tailrace: %s; serving without a window (tailrace serve)\n", why)
	return inv.serve(c, serving{readyFile: readyFile})
}

// errNoWindow says that the toolkit could not open a window.
var errNoWindow = errors.New("the display cannot be used")

// desktop is a window and the server behind it. The server may be missing, when
// it could not start or has stopped: then the window shows why.
type desktop struct {
	inv       *invocation
	config    config.Config
	readyFile string
	log       *slog.Logger
	page      *window.Page
	closed    chan struct{} // closed when the window is
	asking    sync.Mutex    // held while the person is asked where to save a file

	mu          sync.Mutex
	backend     *backend.Backend
	removeReady func() error
	attached    *backend.RunFile // of the server in another process whose window this is
	failure     error
	wails       context.Context // of the open window, nil before and after
}

// errHasWindow says that another process shows its window.
var errHasWindow = errors.New("the running server has shown its window")

// begin opens the server, or becomes the window of one that runs without. When
// that one has a window, begin raises it and returns errHasWindow.
func (d *desktop) begin() error {
	err := d.start()
	var running *backend.AlreadyRunningError
	if !errors.As(err, &running) || running.Run.PID == 0 {
		return err
	}
	asked := askWindow(d.inv.ctx, running.Run)
	switch {
	case asked == nil:
		return errHasWindow
	case errors.Is(asked, errHeadless):
		d.attach(running.Run)
		d.log.Info("the window of a server that runs already", "pid", running.Run.PID)
		return nil
	}
	err = fmt.Errorf("%w; %w", err, asked)
	d.fail(err)
	return err
}

// start opens the server. The addresses are bound when it returns, before there
// is a window.
func (d *desktop) start() error {
	o := d.inv.options(d.config, d.log)
	o.Window = nativeWindow{d}
	b, err := backend.Open(o)
	if err != nil {
		d.fail(err)
		return err
	}
	removeReady, err := writeReadyFile(d.readyFile, b)
	if err != nil {
		err = errors.Join(err, closeBackend(b))
		d.fail(err)
		return err
	}
	d.mu.Lock()
	d.backend, d.removeReady, d.failure = b, removeReady, nil
	d.mu.Unlock()
	return nil
}

// retry starts a server when there is none; the page calls it.
func (d *desktop) retry() {
	if d.lastError() == nil {
		return
	}
	if err := d.close(); err != nil {
		d.log.Warn("closing the failed server", "err", err)
	}
	if d.begin() == nil {
		d.watch()
	}
}

// close shuts the server down, if there is one.
func (d *desktop) close() error {
	d.mu.Lock()
	b, removeReady := d.backend, d.removeReady
	d.backend, d.removeReady = nil, nil
	d.mu.Unlock()
	if b == nil {
		return nil
	}
	return errors.Join(closeBackend(b), removeReady())
}

func (d *desktop) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failure = err
}

func (d *desktop) lastError() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failure
}

// link returns where the window goes: to the inspector, or to the failure.
func (d *desktop) link() (string, *window.Failure) {
	d.mu.Lock()
	attached := d.attached
	d.mu.Unlock()
	if attached != nil {
		link, err := askLink(d.inv.ctx, *attached)
		if err != nil {
			return "", &window.Failure{What: fmt.Sprintf("the running server gives no link to its inspector: %v", err)}
		}
		return link, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil {
		what, steps := advice(d.failure)
		return "", &window.Failure{What: what, Steps: steps}
	}
	if d.backend == nil {
		return "", &window.Failure{What: "the server has stopped"}
	}
	return d.backend.InspectorLink(), nil
}

// show brings the window to the front.
func (d *desktop) show() {
	if ctx := d.window(); ctx != nil {
		wails_runtime.WindowShow(ctx)
		wails_runtime.WindowUnminimise(ctx)
	}
}

func (d *desktop) window() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wails
}

func (d *desktop) opened(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wails = ctx
}

// gone forgets the window: Wails ends the program when it is asked for a window
// that is no more.
func (d *desktop) gone() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wails = nil
}

// watch shows the failure page when the server stops by itself. It returns at
// once; the watching ends with the server or the window.
func (d *desktop) watch() {
	d.mu.Lock()
	b, attached := d.backend, d.attached
	d.mu.Unlock()
	if attached != nil {
		go d.followAttached(*attached)
		return
	}
	if b == nil {
		return
	}
	go func() {
		select {
		case <-b.Done():
		case <-d.closed:
			return
		}
		err := fmt.Errorf("the server stopped by itself: %w", b.Err())
		d.log.Error("the window says why it is empty", "err", err)
		d.fail(err)
		d.reload()
	}()
}

// reload shows the page of the window again: the inspector, or why there is none.
func (d *desktop) reload() {
	if ctx := d.window(); ctx != nil {
		wails_runtime.WindowReloadApp(ctx)
	}
}

// run shows the window until it is closed or the program is told to stop.
func (d *desktop) run() (err error) {
	if runtime.GOOS == "linux" && window.NeedsPlainBuffers(os.DirFS("/")) && d.inv.env("WEBKIT_DISABLE_DMABUF_RENDERER") == "" {
		if err := os.Setenv("WEBKIT_DISABLE_DMABUF_RENDERER", "1"); err != nil {
			return err
		}
	}
	// Wails panics where GTK cannot reach the display that the environment names.
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%w: %v", errNoWindow, reason)
		}
	}()

	memory := window.Recall(d.config.DataDir)
	dark := window.PrefersDark(runtime.GOOS, d.inv.env)
	if memory.Dark != nil {
		dark = *memory.Dark
	}
	background := window.Background(dark)
	state := options.Normal
	if memory.Maximised {
		state = options.Maximised
	}
	d.page = window.NewPage(d.link, d.retry)
	var closing atomic.Bool
	defer close(d.closed)

	err = wails.Run(&options.App{
		Title:              "Tailrace",
		Width:              memory.Width,
		Height:             memory.Height,
		MinWidth:           window.MinWidth,
		MinHeight:          window.MinHeight,
		WindowStartState:   state,
		Menu:               d.menu(),
		BackgroundColour:   options.NewRGB(background.R, background.G, background.B),
		AssetServer:        &assetserver.Options{Handler: d.page},
		Logger:             wailsLog{d.log},
		LogLevelProduction: logger.WARNING,
		OnStartup: func(ctx context.Context) {
			d.opened(ctx)
			d.watch()
			putBack(ctx, memory)
			select {
			case <-d.inv.ctx.Done():
				wails_runtime.Quit(ctx)
			case <-d.closed:
			}
		},
		OnBeforeClose: func(ctx context.Context) (prevent bool) {
			// A signal asks twice, for Wails listens to it too, and the second
			// call may find the window gone.
			if closing.Swap(true) {
				return true
			}
			d.remember(ctx, memory)
			if d.inv.ctx.Err() == nil && !d.mayQuit(ctx) {
				closing.Store(false)
				return true
			}
			d.gone()
			return false
		},
		Linux: &linux.Options{
			Icon:             d.inv.Icon,
			ProgramName:      "tailrace",
			WebviewGpuPolicy: linux.WebviewGpuPolicyOnDemand,
		},
		Mac: &mac.Options{
			About: &mac.AboutInfo{Title: "Tailrace " + d.inv.Version, Message: "A local server and inspector for the Durable Streams protocol.", Icon: d.inv.Icon},
		},
		Windows: &windows.Options{
			Theme:               windows.SystemDefault,
			WebviewUserDataPath: filepath.Join(d.config.DataDir, "webview"),
		},
	})
	d.gone()
	if err != nil {
		return fmt.Errorf("open the window: %w", err)
	}
	return nil
}

// putBack puts the window where it was the last time, if that is on the screen.
func putBack(ctx context.Context, m window.Memory) {
	if m.X == nil || m.Y == nil || m.Maximised {
		return
	}
	screens, err := wails_runtime.ScreenGetAll(ctx)
	if err != nil {
		return // the window is somewhere
	}
	for _, s := range screens {
		if s.IsCurrent && m.Fits(s.Size.Width, s.Size.Height) {
			wails_runtime.WindowSetPosition(ctx, *m.X, *m.Y)
		}
	}
}

// mayQuit asks, when clients would lose their connections, whether the server
// should end with the window or go on without it.
func (d *desktop) mayQuit(ctx context.Context) bool {
	d.mu.Lock()
	b := d.backend
	d.mu.Unlock()
	if b == nil {
		return true
	}
	n := b.Readers()
	if n == 0 {
		return true
	}
	quit, keep := "Yes", "No" // what Linux and Windows can offer
	if runtime.GOOS == "darwin" {
		quit, keep = "Quit", "Keep Serving"
	}
	answer, err := wails_runtime.MessageDialog(ctx, wails_runtime.MessageDialogOptions{
		Type:          wails_runtime.QuestionDialog,
		Title:         "Quit Tailrace?",
		Message:       window.QuitQuestion(n, b.DataURL(), quit, keep),
		Buttons:       []string{quit, keep},
		DefaultButton: keep,
	})
	switch {
	case err != nil:
		d.log.Warn("the question whether to quit could not be asked", "err", err)
		return true
	case answer == quit:
		return true
	case answer == keep:
		wails_runtime.WindowHide(ctx)
		d.log.Info("serving without the window; the next start of tailrace brings it back", "readers", n)
	}
	return false // also when the question was closed without an answer
}

// remember saves the window's place, size and colours for the next start.
func (d *desktop) remember(ctx context.Context, m window.Memory) {
	m.Maximised = wails_runtime.WindowIsMaximised(ctx)
	if wails_runtime.WindowIsNormal(ctx) {
		m.Width, m.Height = wails_runtime.WindowGetSize(ctx)
		x, y := wails_runtime.WindowGetPosition(ctx)
		m.X, m.Y = &x, &y
	}
	if dark, known := d.page.Dark(); known {
		m.Dark = &dark
	}
	if err := m.Save(d.config.DataDir); err != nil {
		d.log.Warn("the window's size is not remembered", "err", err)
	}
}

// wailsLog hands Wails' messages to the program's log.
type wailsLog struct{ log *slog.Logger }

func (l wailsLog) Print(message string)   { l.log.Debug(message) }
func (l wailsLog) Trace(message string)   { l.log.Debug(message) }
func (l wailsLog) Debug(message string)   { l.log.Debug(message) }
func (l wailsLog) Info(message string)    { l.log.Info(message) }
func (l wailsLog) Warning(message string) { l.log.Warn(message) }
func (l wailsLog) Error(message string)   { l.log.Error(message) }
func (l wailsLog) Fatal(message string)   { l.log.Error(message) }
