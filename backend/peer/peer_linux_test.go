package peer

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("%s: %v", address, err)
			continue
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var f Finder
		ours := c.LocalAddr().String()
		got := f.Find(ours, "192.0.2.1:80", "nonsense")
		if len(got) != 1 || got[ours].PID != os.Getpid() || !strings.HasPrefix(got[ours].Name, "peer.test") {
			t.Errorf("%s: %+v, want process %d", address, got, os.Getpid())
		}
	}
}

// Making room for what is new loses nothing of what is asked for.
func TestFindMany(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dial := func() string {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.LocalAddr().String()
	}
	var f Finder
	first := dial()
	f.Find(first)
	for i := range maxKept {
		f.known[netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), uint16(i))] = finding{}
	}
	second := dial()
	got := f.Find(first, second)
	if len(got) != 2 || got[first].PID != os.Getpid() || got[second].PID != os.Getpid() {
		t.Errorf("%+v, want both of process %d", got, os.Getpid())
	}
}

// Another program is told from this one, by its whole name: the kernel keeps the
// first 15 letters.
func TestFindAnother(t *testing.T) {
	for _, name := range []string{"bash", "fifteen-letters", "a-program-with-a-long-name"} {
		t.Run(name, func(t *testing.T) { findAnother(t, name) })
	}
}

func findAnother(t *testing.T, name string) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash to connect from")
	}
	program := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(bash, program); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	cmd := exec.Command(program, "-c", "exec 3<>/dev/tcp/127.0.0.1/"+port+"; read -r _ <&3")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	var f Finder
	remote := c.RemoteAddr().String()
	if got := f.Find(remote)[remote]; got.PID != cmd.Process.Pid || got.Name != name {
		t.Errorf("%+v, want %s %d", got, name, cmd.Process.Pid)
	}
	c.Close()
	_ = cmd.Wait() // its answer was cut off
}

// The owner of a connection is the one program that has it.
func TestOwners(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	c := Connection{Client: dialed.LocalAddr().(*net.TCPAddr).AddrPort(), Server: dialed.RemoteAddr().(*net.TCPAddr).AddrPort()}
	back := Connection{Client: c.Server, Server: netip.AddrPortFrom(c.Client.Addr(), 1)} // there is none
	got := Owners(map[Connection]bool{c: true, back: true})
	if len(got) != 1 || got[c].PID != os.Getpid() || got[c].Began == 0 || !got[c].Is(Owners(map[Connection]bool{c: true})[c]) {
		t.Errorf("%+v, want process %d", got, os.Getpid())
	}

	file, err := dialed.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	child := exec.Command("cat")
	child.ExtraFiles = []*os.File{file}
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if got := Owners(map[Connection]bool{c: true}); len(got) != 0 {
		t.Errorf("shared with a child: %+v", got)
	}
	in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := Owners(map[Connection]bool{c: true})[c]; got.PID != os.Getpid() {
		t.Errorf("after the child: %+v", got)
	}
}
