package peer

import "github.com/keepsake-cache/keepsake/providers/peer/internal/topology"

// Config returns the present configuration of the grid.
func (p *Provider) Config() *topology.Config { return p.node.Config() }
