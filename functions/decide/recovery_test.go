package decide_test

import (
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/firstaid/firstaidtest"
	"github.com/doudi-aid/doudi/shared/fund"
	"github.com/doudi-aid/doudi/shared/notice"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/recovery"
)

var paper = strings.Repeat("a", 64)

func wrong(reason string) m {
	return m{"reason": reason, "act": "2026-11-20", "evidence_sha256": []string{paper}, "facts": "同一事由在邻区已经领取过救助金，有发放记录。"}
}

// recover makes one step of the recovery that r answered about.
func (w *world) recover(who, id string, r reply, step string, body m) reply {
	w.T.Helper()
	body["version"] = r.number("version")
	return w.post(who, id, "recoveries/"+r.text("id")+"/"+step, body)
}

// heardOut is a case about paid money in which the person was heard.
func (w *world) heardOut(reason string) (id string, r reply) {
	w.T.Helper()
	id = w.awarded(nil, payout.Said{Word: payout.Succeeded})
	r = w.post(finance, id, "recoveries", wrong(reason))
	w.want(r, 201, "")
	r = w.recover(clerk, id, r, "hearings", m{"how": "stated", "records_sha256": []string{paper}, "words": "本人说明当时不知道，愿意归还。"})
	w.want(r, 201, "")
	return id, r
}

func (w *world) decision(amount int) m {
	return m{"amount_fen": amount, "due": w.Now().Add(30 * 24 * time.Hour), "reasons": "同一事由重复领取，多领部分应当归还。"}
}

func TestMoneyIsRecoveredByPeople(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.awarded(nil, payout.Said{Word: payout.Succeeded})
	p := w.payout(id)
	for who, want := range map[string]struct {
		status int
		code   string
	}{approver: {403, "not-allowed"}, supervisor: {403, "supervision-reads-only"}, approver2: {404, "application-not-found"}} {
		w.want(w.post(who, id, "recoveries", wrong("duplicate")), want.status, want.code)
	}
	future := wrong("duplicate")
	future["act"] = "2027-01-01"
	w.want(w.post(finance, id, "recoveries", future), 400, "invalid-fields")
	future["act"] = "some day"
	w.want(w.post(finance, id, "recoveries", future), 400, "invalid-fields")

	r := w.post(finance, id, "recoveries", wrong("duplicate"))
	w.want(r, 201, "")
	w.owes(id, notice.Prefix+string(notice.RecoveryOpened)+"#", 1)
	w.want(w.post(clerk, id, "recoveries", wrong("duplicate")), 409, "recovery-open")
	// Nobody is decided on unheard.
	w.want(w.recover(approver, id, r, "decisions", w.decision(1000)), 409, "recovery-unheard")
	w.want(w.recover(clerk, id, r, "hearings", m{"how": "silent", "words": "没有回音。"}), 409, "recovery-hearing-term")
	h := w.recover(clerk, id, r, "hearings", m{"how": "stated", "records_sha256": []string{paper}, "words": "本人说明当时不知道，愿意归还。"})
	w.want(h, 201, "")

	w.want(w.recover(clerk, id, h, "decisions", w.decision(1000)), 403, "same-person")
	w.want(w.recover(finance, id, h, "decisions", w.decision(1000)), 403, "same-person")
	w.want(w.recover(approver, id, r, "decisions", w.decision(1000)), 409, "recovery-stale")
	penalty := w.decision(1000)
	penalty["penalty_fen"] = 1
	w.want(w.recover(approver, id, h, "decisions", penalty), 400, "recovery-penalty")
	w.want(w.recover(approver, id, h, "decisions", w.decision(int(p.PaidFen)+1)), 400, "recovery-amount")
	d := w.recover(approver, id, h, "decisions", w.decision(1000))
	w.want(d, 201, "")
	w.owes(id, notice.Prefix+string(notice.RecoveryDecided)+"#", 1)
	if d.text("article") == "" || d.number("left_fen") != 1000 || d.text("decided_by") != approver {
		t.Errorf("%s", d.body)
	}

	plan := w.recover(clerk, id, d, "plans", m{"note": "当面商定分两次归还。", "instalments": []m{
		{"due": w.Now().Add(24 * time.Hour), "fen": 400}, {"due": w.Now().Add(240 * time.Hour), "fen": 600}}})
	w.want(plan, 201, "")
	available := w.Balance(fund.Relief, firstaidtest.Township).Of(fund.Available)
	back := func(after reply, fen int, reference string) reply {
		return w.recover(finance, id, after, "repayments", m{"fen": fen, "reference": reference, "evidence_sha256": paper})
	}
	w.want(w.recover(clerk, id, plan, "repayments", m{"fen": 1, "reference": "TK-1", "evidence_sha256": paper}), 403, "not-allowed")
	w.want(back(plan, 1001, "TK-1"), 400, "recovery-amount")
	one := back(plan, 400, "TK-0001")
	w.want(one, 201, "")
	w.want(back(one, 100, "TK-0001"), 409, "repayment-booked")
	two := back(one, 600, "TK-0002")
	w.want(two, 201, "")
	if two.text("state") != "repaid" || two.number("left_fen") != 0 {
		t.Errorf("%s", two.body)
	}
	w.want(back(two, 1, "TK-0003"), 409, "recovery-state")
	if b := w.Balance(fund.Relief, firstaidtest.Township); b.Of(fund.Available)-available != 1000 {
		t.Errorf("%d came back", b.Of(fund.Available)-available)
	}
	if err := fund.Coherent(t.Context(), w.Store, p.Award.Slice()); err != nil {
		t.Error(err)
	}
	w.owes(id, notice.Prefix+string(notice.RecoveryClosed)+"#", 1)
	list := w.get(supervisor, "/v1/staff/applications/"+id+"/recoveries")
	w.want(list, 200, "")
	if all, _ := list.out["recoveries"].([]any); len(all) != 1 {
		t.Errorf("%s", list.body)
	}
	w.want(w.get(approver2, "/v1/staff/applications/"+id+"/recoveries"), 404, "application-not-found")
	for _, e := range w.Events(application.Partition(id)) {
		if e.Noun == recovery.Noun && e.Actor.Kind != "staff" {
			t.Errorf("D01: %s by %s", e.Kind, e.Actor.Kind)
		}
		if strings.Contains(string(e.Note), "愿意") {
			t.Error("P01: words in the clear")
		}
	}
}

// TestACreditIsBookedOnce, whoever owes it.
func TestACreditIsBookedOnce(t *testing.T) {
	t.Parallel()
	w := open(t)
	var answers []reply
	for range 2 {
		id, h := w.heardOut("not_eligible")
		d := w.recover(approver, id, h, "decisions", w.decision(500))
		w.want(d, 201, "")
		answers = append(answers, w.recover(finance, id, d, "repayments", m{"fen": 500, "reference": "TK-0009", "evidence_sha256": paper}))
	}
	w.want(answers[0], 201, "")
	w.want(answers[1], 409, "repayment-booked")
}

func TestLettingGoAndTakingBack(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, h := w.heardOut("false_declaration")
	in := w.decision(1000)
	in["penalty_fen"] = 2000
	d := w.recover(approver, id, h, "decisions", in)
	w.want(d, 201, "")
	if d.number("penalty_fen") != 2000 || d.text("article") != "《社会救助法》第七十三条" {
		t.Errorf("%s", d.body)
	}
	why := func() m { return m{"reason": "本人重病住院，已无归还能力，有医院证明。"} }
	asked := w.recover(approver, id, d, "waivers", why())
	w.want(asked, 201, "")
	w.want(w.recover(approver, id, asked, "waivers/approval", why()), 403, "same-person")
	w.want(w.recover(finance, id, asked, "waivers/approval", why()), 403, "not-allowed")
	done := w.recover(county, id, asked, "waivers/approval", why())
	w.want(done, 201, "")
	if done.text("state") != "waived" || done.text("waived_by") != county {
		t.Errorf("%s", done.body)
	}

	id, h = w.heardOut("duplicate")
	d = w.recover(approver, id, h, "decisions", w.decision(1000))
	w.want(d, 201, "")
	w.want(w.recover(approver, id, d, "revocation", why()), 403, "same-person")
	r := w.recover(county, id, d, "revocation", why())
	w.want(r, 201, "")
	if r.text("state") != "revoked" {
		t.Errorf("%s", r.body)
	}
	w.want(w.post(finance, id, "recoveries", wrong("duplicate")), 201, "") // another case may be opened

	id, h = w.heardOut("wrong_amount")
	zero := w.decision(0)
	d = w.recover(approver, id, h, "decisions", zero)
	w.want(d, 201, "")
	if d.text("state") != "dismissed" {
		t.Errorf("%s", d.body)
	}
	w.want(w.post(clerk, id, "recoveries/none/hearings", m{"version": 1, "how": "stated", "words": "没有这个案子。"}), 404, "application-not-found")
}

// TestWhatWasNotPaidIsNotRecovered: what came back through the bank is in the fund.
func TestWhatWasNotPaidIsNotRecovered(t *testing.T) {
	t.Parallel()
	w := open(t)
	id := w.awarded(nil)
	w.want(w.post(finance, id, "recoveries", wrong("duplicate")), 409, "recovery-not-paid")
	id = w.awarded(nil, payout.Said{Word: payout.Succeeded}, payout.Said{Word: payout.SentBack})
	w.want(w.post(finance, id, "recoveries", wrong("duplicate")), 409, "recovery-not-paid")
	tasks := w.get(clerk, "/v1/staff/tasks")
	w.want(tasks, 200, "")
}

// TestRecoveriesAreTasks: each step is owed by somebody, by a time.
func TestRecoveriesAreTasks(t *testing.T) {
	t.Parallel()
	w := open(t)
	id, h := w.heardOut("duplicate")
	find := func(who string) m {
		t.Helper()
		r := w.get(who, "/v1/staff/tasks")
		all, _ := r.out["tasks"].([]any)
		for _, one := range all {
			if task, _ := one.(m); task["kind"] == "recovery" {
				return task
			}
		}
		t.Fatalf("%s has no such task: %s", who, r.body)
		return nil
	}
	if task := find(approver); task["next_action"] != "decide_recovery" || task["mine"] != true || task["application"] != id {
		t.Errorf("%v", task)
	}
	if task := find(clerk); task["mine"] != false {
		t.Errorf("%v", task)
	}
	asked := w.recover(approver, id, w.recover(approver, id, h, "decisions", w.decision(10)), "waivers", m{"reason": "本人重病住院，已无归还能力。"})
	w.want(asked, 201, "")
	if task := find(county); task["next_action"] != "approve_waiver" || task["mine"] != true {
		t.Errorf("%v", task)
	}
	if task := find(approver); task["mine"] != false {
		t.Errorf("%v", task)
	}
}
