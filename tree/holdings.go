package tree

import "sync"

// holdings is what the children of a tree share, until the tree has ended.
type holdings struct {
	mu       sync.Mutex
	over     bool
	releases map[any]func()
}

func (h *holdings) hold(key any, open func() (release func())) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return false
	}
	if _, ok := h.releases[key]; !ok {
		if h.releases == nil {
			h.releases = make(map[any]func())
		}
		h.releases[key] = open()
	}
	return true
}

func (h *holdings) release() {
	h.mu.Lock()
	releases := h.releases
	h.over, h.releases = true, nil
	h.mu.Unlock()
	for _, release := range releases {
		release()
	}
}

// Hold makes the incarnation a Cell.
func (i *incarnation) Hold(key any, open func() (release func())) bool {
	return i.child.sup.tree.held.hold(key, open)
}
