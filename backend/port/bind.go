package port

import (
	"errors"
	"fmt"
	"net"
	"syscall"
)

// wsaAddressInUse is EADDRINUSE of Windows sockets, which syscall.EADDRINUSE is
// not. No other system has an error of that number.
const wsaAddressInUse = syscall.Errno(10048)

// Taken reports whether an address could not be bound because it is in use.
func Taken(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddressInUse)
}

// Bind listens on an address. The host localhost means this machine in both
// families, see [BindLoopback].
func Bind(address string) ([]net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if host == "localhost" {
		return BindLoopback(port)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return []net.Listener{l}, nil
}

// BindLoopback listens on 127.0.0.1 and on ::1, because programs differ in what
// they take localhost for. Port 0 is one that is free on both. A family that this
// machine does not have is left out; a port that is taken on one is an error,
// since half of the programs would reach another server.
func BindLoopback(port string) ([]net.Listener, error) {
	const attempts = 20
	for attempt := 1; ; attempt++ {
		listeners, err := bindBoth(port)
		if err == nil || !Taken(err) || port != "0" || attempt == attempts {
			return listeners, err
		}
	}
}

func bindBoth(port string) ([]net.Listener, error) {
	v4, err4 := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", port))
	if err4 != nil && Taken(err4) {
		return nil, fmt.Errorf("listen on 127.0.0.1:%s: %w", port, err4)
	}
	if v4 != nil {
		_, port, _ = net.SplitHostPort(v4.Addr().String()) // an address of a socket always splits
	}
	v6, err6 := net.Listen("tcp6", net.JoinHostPort("::1", port))
	switch {
	case err6 == nil && err4 == nil:
		return []net.Listener{v4, v6}, nil
	case err6 == nil:
		return []net.Listener{v6}, nil
	case err4 == nil && !Taken(err6):
		return []net.Listener{v4}, nil
	}
	err := fmt.Errorf("listen on [::1]:%s: %w", port, errors.Join(err6, err4))
	if v4 != nil {
		err = errors.Join(err, v4.Close())
	}
	return nil, err
}
