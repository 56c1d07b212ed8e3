package decide_test

import (
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/envelope"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
)

// The store fails at every single call of every act in turn, once without and
// once with the write having happened. The caller hears that it is not known or
// not done, never that it is refused; the same request again does it, once.
func TestTheStoreFailsAtEveryStep(t *testing.T) {
	t.Parallel()
	type request struct {
		who, path string
		body      any
	}
	one := func(id, rest string) string { return "/v1/staff/applications/" + id + "/" + rest }
	acts := map[string]func(w *world) request{
		"visit": func(w *world) request {
			return request{clerk, one(w.Apply(w.Person()).ID, "visits"), aVisit}
		},
		"propose": func(w *world) request {
			return request{clerk, one(w.Verify(w.Apply(w.Person()).ID).ID, "proposals"), m{}}
		},
		"propose an exception": func(w *world) request {
			return request{clerk, one(w.Verify(w.Apply(w.Person()).ID).ID, "proposals"),
				m{"exception": m{"codes": []string{"SAME_CAUSE_REPEAT"}, "reason": "在外地已获救助，确有必要再次救助。"}}}
		},
		"approve": func(w *world) request {
			id, approval := w.proposed(nil)
			return request{approver, one(id, "approvals"), approval}
		},
		"approve cash": func(w *world) request {
			id, approval := w.proposed(m{"rail": "reserve_cash"})
			return request{approver, one(id, "approvals"), approval}
		},
		"refuse": func(w *world) request {
			return request{approver, one(w.Apply(w.Person()).ID, "refusals"), m{"code": "NOT_EMERGENCY", "reason": "长期困难，不属于突发情况，已转办低保。"}}
		},
		"hold": func(w *world) request {
			return request{clerk, one(w.Apply(w.Person()).ID, "holds"), m{"code": "OTHER", "reason": "需要核实。"}}
		},
		"release a hold": func(w *world) request {
			id := w.Apply(w.Person()).ID
			return request{approver, one(id, "holds/"+w.hold(id).ID+"/release"), m{"reason": "已经核实。"}}
		},
		"explain": func(w *world) request {
			return request{clerk, one(w.awarded(nil), "explanations"), m{"findings": "problem", "text": "邻里反映情况不符，需要再核实。"}}
		},
		"ask for another account": func(w *world) request {
			return request{clerk2, one(w.awarded(nil, payout.Said{Word: payout.Declined}), "payees"), m{"account": w.Account(999).Reveal(), "reason": "更换账户。"}}
		},
		"pay to another account": func(w *world) request {
			id := w.awarded(nil, payout.Said{Word: payout.Declined})
			fresh := w.Account(5000 + int(w.keys.Add(1)))
			r := w.post(clerk2, id, "payees", m{"account": fresh.Reveal(), "reason": "更换账户。"})
			w.want(r, 201, "")
			w.release(approver, id)
			return request{approver, one(id, "orders/"+r.text("order")+"/approvals"), nil}
		},
		"confirm cash": func(w *world) request {
			id := w.awarded(m{"rail": "reserve_cash", "amount_fen": 50_00})
			r := w.post(clerk2, id, "cash-receipts", m{"receipt_sha256": strings.Repeat("ab", 32)})
			w.want(r, 201, "")
			return request{finance, one(id, "orders/"+r.text("order")+"/approvals"), nil}
		},
		"thaw": func(w *world) request {
			id := w.awarded(nil, payout.Said{Word: payout.Succeeded, AmountFen: 1})
			r := w.post(finance, id, "thaws", m{"reason": "已与银行核对流水，金额一致。"})
			w.want(r, 201, "")
			return request{approver, one(id, "orders/"+r.text("order")+"/approvals"), nil}
		},
		"review": func(w *world) request {
			w.standing()
			id := w.Verify(w.Apply(w.Person()).ID, func(f *application.Findings) { f.Classes = []policy.RecipientClass{policy.Dibao} }).ID
			if ok, err := envelope.Release(w.T.Context(), w.Office.Office, w.Calendar, id, w.Now()); !ok || err != nil {
				w.T.Fatalf("released %t %v", ok, err)
			}
			return request{clerk, one(id, "reviews"), m{"finding": "problem", "text": "电话是空号，需上门核实。"}}
		},
		"ask for an envelope": func(w *world) request { return request{approver, envelopes, w.asking()} },
		"approve an envelope": func(w *world) request {
			r := w.send("POST", approver, envelopes, w.IDs.New(), w.asking())
			w.want(r, 201, "")
			return request{county, envelopes + "/" + r.text("id") + "/approvals", m{"township": string(firstaidtest.Township), "total_fen": 3000_00}}
		},
		"close an envelope": func(w *world) request {
			id, restated := w.standing()
			return request{approver, envelopes + "/" + id + "/closure", restated}
		},
	}
	for name, prepare := range acts {
		for _, lose := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", not written", true: ", written and not told"}[lose], func(t *testing.T) {
				t.Parallel()
				w := open(t, firstaidtest.StandingApprovals)
				for n := int64(1); ; n++ {
					r := prepare(w)
					key := w.IDs.New()
					w.gate.lose = lose
					w.gate.fuse.Store(n)
					first := w.send("POST", r.who, r.path, key, r.body)
					whole := w.gate.fuse.Load() > 0 // it never got to the nth call
					w.gate.fuse.Store(0)
					switch first.status {
					case 201:
					case 503:
						if first.code != "store-busy" && first.code != "outcome-unknown" {
							t.Errorf("call %d: %s", n, first.code)
						}
					default:
						t.Fatalf("call %d: %d %s", n, first.status, first.body)
					}
					again := w.send("POST", r.who, r.path, key, r.body)
					if again.status != 201 || first.status == 201 && first.body != again.body {
						t.Fatalf("call %d: asked again: %d %s after %d %s", n, again.status, again.body, first.status, first.body)
					}
					if whole {
						if n < 4 {
							t.Errorf("only %d calls", n)
						}
						return
					}
				}
			})
		}
	}
}

// The same for what only reads.
func TestTheStoreFailsWhileReading(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.awarded(nil)
	w.hold(id)
	for who, path := range map[string]string{clerk: "/v1/staff/applications/" + id, county: "/v1/staff/tasks",
		clerk3: "/v1/staff/applications/" + id, supervisor: "/v1/staff/envelopes?township=" + string(firstaidtest.Township), approver2: "/v1/staff/tasks?division=320402"} {
		for n := int64(1); ; n++ {
			w.gate.fuse.Store(n)
			r := w.get(who, path)
			whole := w.gate.fuse.Load() > 0
			w.gate.fuse.Store(0)
			if whole {
				break
			}
			if r.status != 503 || r.code != "store-busy" && r.code != "reading-unrecorded" {
				t.Fatalf("%s, call %d: %d %s", path, n, r.status, r.body)
			}
		}
	}
}
