package node

import (
	"context"
	"net"
)

// A Network makes listeners and connections, for addresses that are host:port. Where a
// function is nil it is that of TCP.
type Network struct {
	Listen func(ctx context.Context, addr string) (net.Listener, error)
	Dial   func(ctx context.Context, addr string) (net.Conn, error)
}

// listen takes the first address that is free.
func (n Network) listen(ctx context.Context, addresses []string) (listener net.Listener, err error) {
	one := n.Listen
	if one == nil {
		one = func(ctx context.Context, addr string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", addr)
		}
	}
	for _, addr := range addresses {
		if listener, err = one(ctx, addr); err == nil {
			return listener, nil
		}
	}
	return nil, err
}
