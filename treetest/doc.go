// Package treetest is a kit for tests of supervision trees: it starts a tree and
// stops it at the end of the test, waits for events, and hurts children by path.
//
//	func TestOrdersSurviveTheDatabase(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) { // an hour of backoff takes no time
//			shop := treetest.Start(t, shopSpec())
//			shop.Fail("shop/db", errors.New("connection lost"))
//			shop.Wait(treetest.Started("shop/db").Incarnation(2), time.Minute)
//			shop.RequireLife("-db -orders +db2 +orders2")
//		})
//	}
//
// All of it works in a bubble of testing/synctest, where time is virtual, and
// outside one.
//
// The services of the spec that is handed to Start, of those it nests, of
// instances, and of children added later through the Tree, are wrapped so that
// they can be hurt; to the supervisor they look as before.
package treetest
