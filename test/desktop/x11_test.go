//go:build desktop && linux

package desktop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io"
	"net"
)

// window is an X window.
type window uint32

// display speaks the few requests of the X protocol (X.Org, "X Window System
// Protocol") that the tests need. Every request is followed by its reply, so
// that an error of one without a reply shows at the next that has one.
type display struct {
	conn          net.Conn
	root          window
	width, height int
	nextID        uint32
}

// opcodes of the requests.
const (
	opCreateWindow    = 1
	opMapWindow       = 8
	opConfigureWindow = 12
	opGetGeometry     = 14
	opQueryTree       = 15
	opInternAtom      = 16
	opGetProperty     = 20
	opSendEvent       = 25
	opGetImage        = 73
)

// dial connects to the display of that number on this machine.
func dial(number string) (*display, error) {
	conn, err := net.Dial("unix", "/tmp/.X11-unix/X"+number)
	if err != nil {
		return nil, err
	}
	hello := []byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	if _, err := conn.Write(hello); err != nil {
		return nil, err
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	setup := make([]byte, 4*int(binary.LittleEndian.Uint16(head[6:])))
	if _, err := io.ReadFull(conn, setup); err != nil {
		return nil, err
	}
	if head[0] != 1 {
		return nil, fmt.Errorf("the display refuses the connection: %q", setup)
	}
	vendor := int(binary.LittleEndian.Uint16(setup[16:]))
	formats := int(setup[21])
	screen := setup[32+(vendor+3)/4*4+8*formats:]
	return &display{
		conn:   conn,
		root:   window(binary.LittleEndian.Uint32(screen)),
		width:  int(binary.LittleEndian.Uint16(screen[20:])),
		height: int(binary.LittleEndian.Uint16(screen[22:])),
		nextID: binary.LittleEndian.Uint32(setup[4:]),
	}, nil
}

// send writes a request: its opcode, the byte that belongs to the head, and the
// rest in 16-bit or 32-bit numbers and bytes.
func (d *display) send(op, detail byte, body ...any) error {
	msg := []byte{op, detail, 0, 0}
	for _, part := range body {
		var err error
		if msg, err = binary.Append(msg, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	for len(msg)%4 != 0 {
		msg = append(msg, 0)
	}
	binary.LittleEndian.PutUint16(msg[2:], uint16(len(msg)/4))
	_, err := d.conn.Write(msg)
	return err
}

// ask sends a request and returns its reply.
func (d *display) ask(op, detail byte, body ...any) ([]byte, error) {
	if err := d.send(op, detail, body...); err != nil {
		return nil, err
	}
	for {
		reply := make([]byte, 32)
		if _, err := io.ReadFull(d.conn, reply); err != nil {
			return nil, err
		}
		switch reply[0] {
		case 0:
			return nil, fmt.Errorf("X error %d for request %d", reply[1], reply[10])
		case 1:
			rest := make([]byte, 4*int(binary.LittleEndian.Uint32(reply[4:])))
			_, err := io.ReadFull(d.conn, rest)
			return append(reply, rest...), err
		}
		// Anything else is an event, which nobody asked for.
	}
}

func (d *display) atom(name string) (uint32, error) {
	reply, err := d.ask(opInternAtom, 0, uint16(len(name)), uint16(0), []byte(name))
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(reply[8:]), nil
}

// windows lists the windows of the screen from the lowest to the topmost.
func (d *display) windows() ([]window, error) {
	reply, err := d.ask(opQueryTree, 0, uint32(d.root))
	if err != nil {
		return nil, err
	}
	list := make([]window, binary.LittleEndian.Uint16(reply[16:]))
	for i := range list {
		list[i] = window(binary.LittleEndian.Uint32(reply[32+4*i:]))
	}
	return list, nil
}

func (d *display) property(w window, name string) (string, error) {
	property, err := d.atom(name)
	if err != nil {
		return "", err
	}
	reply, err := d.ask(opGetProperty, 0, uint32(w), property, uint32(0), uint32(0), uint32(64))
	if err != nil {
		return "", err
	}
	size := int(binary.LittleEndian.Uint32(reply[16:])) * int(reply[1]) / 8
	return string(reply[32 : 32+size]), nil
}

var errNoSuchWindow = errors.New("no such window")

// find returns the window with a title.
func (d *display) find(title string) (window, error) {
	list, err := d.windows()
	if err != nil {
		return 0, err
	}
	for _, w := range list {
		// A window may go between the list and the question.
		if name, err := d.property(w, "_NET_WM_NAME"); err == nil && name == title {
			return w, nil
		}
	}
	return 0, errNoSuchWindow
}

func (d *display) size(w window) (width, height int, err error) {
	reply, err := d.ask(opGetGeometry, 0, uint32(w))
	if err != nil {
		return 0, 0, err
	}
	return int(binary.LittleEndian.Uint16(reply[16:])), int(binary.LittleEndian.Uint16(reply[18:])), nil
}

func (d *display) resize(w window, width, height int) error {
	const widthAndHeight = 4 | 8
	return d.send(opConfigureWindow, 0, uint32(w), uint16(widthAndHeight), uint16(0), uint32(width), uint32(height))
}

// close asks the program to close a window, as the close button does (ICCCM
// §4.2.8.1).
func (d *display) close(w window) error {
	protocols, err := d.atom("WM_PROTOCOLS")
	if err != nil {
		return err
	}
	deleteWindow, err := d.atom("WM_DELETE_WINDOW")
	if err != nil {
		return err
	}
	const clientMessage = 33
	return d.send(opSendEvent, 0, uint32(w), uint32(0),
		[]byte{clientMessage, 32, 0, 0}, uint32(w), protocols, deleteWindow, [4]uint32{})
}

// press sends a window a key, by the code that it has on the keyboard of Xvfb.
func (d *display) press(w window, key byte, modifiers uint16) error {
	const keyPress, keyRelease = 2, 3
	for _, event := range []byte{keyPress, keyRelease} {
		err := d.send(opSendEvent, 0, uint32(w), uint32(0),
			[]byte{event, key, 0, 0}, uint32(0), uint32(d.root), uint32(w), uint32(0), [4]int16{}, modifiers, []byte{1, 0})
		if err != nil {
			return err
		}
	}
	return nil
}

// cover puts a window of the tests over the whole screen and returns it.
func (d *display) cover() (window, error) {
	const inputOutput = 1
	w := window(d.nextID)
	d.nextID++
	err := d.send(opCreateWindow, 0, uint32(w), uint32(d.root), [2]int16{}, uint16(d.width), uint16(d.height),
		uint16(0), uint16(inputOutput), uint32(0), uint32(0))
	if err != nil {
		return 0, err
	}
	return w, d.send(opMapWindow, 0, uint32(w))
}

// topmost returns the window above all others that can be seen.
func (d *display) topmost() (window, error) {
	list, err := d.windows()
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[len(list)-1], nil
}

// picture returns what the screen shows.
func (d *display) picture() (*image.RGBA, error) {
	const zPixmap = 2
	reply, err := d.ask(opGetImage, zPixmap, uint32(d.root), [2]int16{}, uint16(d.width), uint16(d.height), ^uint32(0))
	if err != nil {
		return nil, err
	}
	pixels := reply[32:]
	if len(pixels) < 4*d.width*d.height {
		return nil, fmt.Errorf("%d bytes of picture: expected 4 for each pixel", len(pixels))
	}
	img := image.NewRGBA(image.Rect(0, 0, d.width, d.height))
	for y := range d.height {
		for x := range d.width {
			p := pixels[4*(y*d.width+x):]
			img.SetRGBA(x, y, color.RGBA{p[2], p[1], p[0], 255})
		}
	}
	return img, nil
}
