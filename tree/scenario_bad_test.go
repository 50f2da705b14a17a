package tree_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A scenario that cannot be read or played is told with file and line.
func TestScenarioMistakes(t *testing.T) {
	const head = "# Title\n\nProse.\n\n"
	const good = head + "tree\n  shop one-for-one\n    db\n\n> start\n"
	for _, tt := range []struct {
		name, text, want string
	}{
		{"no title", "Prose.\n", `x.txt:1: a scenario begins with its title, "# …"`},
		{"no prose", "# Title\n\ntree\n  shop one-for-one\n", "x.txt:1: a scenario says in a sentence what it shows"},
		{"no tree", head, "x.txt:3: there is no tree"},
		{"command before the tree", head + "> start\n", "x.txt:5: a command before the tree"},
		{"space at the end", head + "tree \n", "x.txt:5: space at the end of the line"},
		{"empty tree", head + "tree\n", "x.txt:5: the tree is empty"},
		{"root is a child", head + "tree\n  shop\n", "x.txt:6: the root is no supervisor: it has no strategy"},
		{"two roots", head + "tree\n  a one-for-one\n  b one-for-one\n", "x.txt:7: indentation: two spaces for each level, below one root"},
		{"too deep", head + "tree\n  a one-for-one\n      b\n", "x.txt:7: indentation: two spaces for each level, below one root"},
		{"odd indentation", head + "tree\n   a one-for-one\n", "x.txt:6: indentation: two spaces for each level, below one root"},
		{"child of a child", head + "tree\n  a one-for-one\n    b\n      c\n", "x.txt:8: b is no supervisor: it has no strategy"},
		{"unknown word", head + "tree\n  a one-for-one\n    b often\n", "x.txt:7: often: what is this? (not a supervisor: the strategy comes first)"},
		{"unknown word of a supervisor", head + "tree\n  a one-for-one 3\n", "x.txt:6: 3: what is this?"},
		{"unknown setting", head + "tree\n  a one-for-one\n    b color=red\n", "x.txt:7: color=red: what is this? (not a supervisor: the strategy comes first)"},
		{"bad duration", head + "tree\n  a one-for-one\n    b delay=1\n", `x.txt:7: delay=1: time: missing unit in duration "1"`},
		{"two templates", head + "tree\n  a dynamic\n    *\n    *\n", `x.txt:6: a is dynamic: one child, "*", is the template`},
		{"unknown command", good + "> sing shop/db\n", "x.txt:10: sing: no such command"},
		{"of nobody", good + "> fail\n", "x.txt:10: fail: of whom?"},
		{"request of nobody", good + "> terminate\n", "x.txt:10: terminate: of whom?"},
		{"no such child", good + "> fail shop/api boom\n", "x.txt:10: shop/api is not running"},
		{"not hanging", good + "> release shop/db\n", "x.txt:10: shop/db is not hanging"},
		{"not started", head + "tree\n  a one-for-one\n\n> which a\n", "x.txt:8: the tree has not been started"},
		{"bad plan", good + "> next-starts shop/db sing x2\n", "x.txt:10: sing: what is this?"},
		{"bad time", good + "> advance soon\n", `x.txt:10: time: invalid duration "soon"`},
		{"bad child", good + "> start-child shop api often\n", "x.txt:10: often: what is this? (not a supervisor: the strategy comes first)"},
		{"stop by a child", good + "> as shop/db stop\n", "x.txt:10: as PATH REQUEST …"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := readScenario("x.txt", tt.text)
			if err == nil {
				bubble(t, func(*testing.T) { err = s.play() })
			}
			require.EqualError(t, err, tt.want)
		})
	}
}

// What the file says and what happened are shown side by side.
func TestScenarioDifferences(t *testing.T) {
	s, err := readScenario("x.txt", "# Title\n\nProse.\n\ntree\n  shop one-for-one\n    db\n\n> start\n"+
		"shop/db: child started\nshop/api: child started\nshop: supervisor started\n> which shop\nanswer to which shop: db running\n")
	require.NoError(t, err)
	bubble(t, func(t *testing.T) { require.NoError(t, s.play()) })
	require.Equal(t, "\nx.txt:9:\n  > start\n  shop/db: child started\n- shop/api: child started\n  shop: supervisor started\n", s.differences())
	again, err := readScenario("x.txt", s.text())
	require.NoError(t, err)
	bubble(t, func(t *testing.T) { require.NoError(t, again.play()) })
	require.Empty(t, again.differences())
	require.Equal(t, s.text(), again.text())
}
