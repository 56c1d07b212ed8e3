package application

import "github.com/doudi-aid/doudi/shared/event"

// leads is where the events lead that change the state. All others leave it.
var leads = map[string]State{
	"accepted": Accepted, "verified": Verified, "supplemented": Accepted, "proposed": Proposed, "approved": Approved, "released": Approved,
	"refused": Refused, "withdrawn": Withdrawn, "explained": Explained, "reopened": Verified, "restarted": Accepted,
}

// StateAfter is the state that the events of an application lead to, the first version
// first. It is what a stored state is held against.
func StateAfter(events []event.Event) State {
	state := State("")
	for _, e := range events {
		switch to, ok := leads[e.Kind]; {
		case ok:
			state = to
		case e.Kind == "consented" && (state == Accepted || state == Verified):
			state = Accepted // another person may be asked about, so the registers are asked again
		}
	}
	return state
}
