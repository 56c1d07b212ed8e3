package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/docs/api"
	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/test/caller"
	"github.com/doudi-aid/doudi/test/stage"
)

// region is where everything happens, and township the place in it.
const (
	region   = "320400"
	county   = "320402000000"
	township = "320402005000"
)

// callers are those in whose name the document is asked, a member of staff for
// each role; leaving only signs out, so that everybody else can stay.
var callers = []string{"nobody", "citizen", "clerk-1", "approver-1", "county-1", "reviewer-2", "finance-1", "supervisor-1", "auditor-1", "grid-1", leaving}

const (
	nobody  = "nobody"
	citizen = "citizen"
	leaving = "leaving"
)

// signOut is the one operation after which a caller is nobody.
const signOut = "/v1/sessions/current"

// scene is a running system with things in it that can be asked about.
type scene struct {
	*stage.Stage
	paths []string
	known map[string][]string // what is there, by the name of its dictionary
}

// open starts a system that may pay in every way, and plays what every part of
// the document speaks of, once.
func open(ctx context.Context) (*scene, error) {
	st, err := stage.Open(ctx, "", func(o *local.Options) {
		o.WxPay, o.Batch = []string{region}, []string{region}
		o.Limits = httpapi.Limits{PerSecond: 1e9, Burst: 1e9, Misses: 1e9} // 429 has tests of its own, and would hide every other answer
	})
	if err != nil {
		return nil, err
	}
	s := &scene{Stage: st, known: map[string][]string{}}
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err == nil {
		s.paths = doc.Paths.InMatchingOrder()
		slices.Sort(s.paths)
		err = s.play(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return s, nil
}

// String says what is there.
func (s *scene) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.known)) {
		parts = append(parts, fmt.Sprintf("%d %s", len(s.known[name]), name))
	}
	return strings.Join(parts, ", ")
}

// signIn is the token of a caller, fresh enough for everything.
func (s *scene) signIn(ctx context.Context, name string) (caller.Caller, error) {
	switch name {
	case nobody:
		return s.Caller, nil
	case citizen, leaving:
		return s.Caller.SignIn(ctx, "/v1/sessions", "wx:contract-"+citizen, "")
	}
	return s.Caller.SignIn(ctx, "/v1/staff/sessions", "staff:"+name, region)
}

// play puts one of everything there.
func (s *scene) play(ctx context.Context) error {
	p, now := &player{scene: s, ctx: ctx}, time.Now().In(calendar.Zone) // days are China's, wherever this runs
	me := p.as(citizen)
	var last string
	for i, far := range []int{verified, proposed, paid, paid} {
		id := p.apply(me, i)
		s.known["applications"] = append(s.known["applications"], id)
		if far >= proposed {
			p.propose(id, far >= paid)
		}
		if far == paid {
			last = id
		}
	}
	clerk, supervisor, finance := p.as("clerk-1"), p.as("supervisor-1"), p.as("finance-1")
	one := "/v1/staff/applications/" + s.known["applications"][0]
	p.note("hold", "hold", p.post(clerk, one+"/holds", map[string]any{"code": "PAYEE_DOUBT", "reason": "户籍信息与本人所述不一致，待核。"}))
	p.note("reveal", "id", p.post(clerk, one+"/reveals", map[string]any{"fields": []string{"phone"}, "reason": "contact_person", "note": "短信没有送达，需要电话核对。"}))
	p.note("recovery", "id", p.post(finance, "/v1/staff/applications/"+last+"/recoveries", map[string]any{"reason": "duplicate", "act": now.Format(time.DateOnly), "evidence_sha256": []string{strings.Repeat("0a", 32)}, "facts": "同一事由在邻区已经领取过救助金。"}))

	complaint := map[string]any{"description": "我的救助金被扣了一半。", "item": "first-aid", "module": "hardship-allowances", "place": "320402005001"}
	var code struct{ Code string }
	p.do(s.Caller, http.MethodPost, "/v1/complaint-codes", nil, &code)
	s.known["complaint_codes"] = []string{code.Code}
	complaint["code"] = code.Code
	p.post(s.Caller, "/v1/anonymous-complaints", complaint)
	delete(complaint, "code")
	complaint["name"], complaint["phone"] = "王测", "19900000000"
	for i := range 3 {
		id := p.note("complaints", "id", p.post(me, "/v1/complaints", complaint))
		path := "/v1/staff/complaints/" + id
		if i > 0 {
			p.post(supervisor, path+"/acceptance", map[string]any{"rank": "urgent"})
		}
		if i > 1 {
			p.post(supervisor, path+"/assignments", map[string]any{"brief": "请核实近三个月发放情况。", "division": county})
		}
	}
	p.note("brake", "id", p.post(supervisor, "/v1/staff/brakes", map[string]any{"kind": "officer", "division": county, "target": region + "-clerk-3", "reason": "audit", "note": "先停再查。"}))
	p.note("sample", "id", p.post(supervisor, "/v1/staff/samples", map[string]any{"division": township, "from": now.AddDate(0, 0, -2).Format(time.DateOnly), "to": now.Format(time.DateOnly), "confidence_percent": 95, "margin_percent": 5}))
	var told struct{ IDs []string }
	p.do(supervisor, http.MethodPost, "/v1/staff/mandates", map[string]any{"body": "320400000000", "list": "百日行动", "rows": []any{map[string]any{"number": "12", "kind": "rectification", "title": "核查备用金台账", "unit": township, "due": now.AddDate(0, 0, 20).Format(time.DateOnly), "text": "请报送台账。"}}}, &told)
	s.known["mandate"] = told.IDs
	p.post(clerk, "/v1/staff/signals", map[string]any{"source": "fire-brigade-320402", "rows": []any{map[string]any{"number": "2026-118", "kind": "fire", "place": "320402005001", "happened_on": now.AddDate(0, 0, -1).Format(time.DateOnly), "person": map[string]any{"name": "王小明", "paper": map[string]string{"kind": "none"}, "phone": "13800000001", "address": "甲字楼二单元"}}}})
	return p.err
}

// How far a case has come.
const (
	verified = iota
	proposed
	paid
)

// player makes calls until one fails.
type player struct {
	*scene
	ctx  context.Context
	keys int
	err  error
}

func (p *player) as(name string) caller.Caller {
	if p.err != nil {
		return caller.Caller{}
	}
	c, err := p.signIn(p.ctx, name)
	p.err = err
	return c
}

func (p *player) do(c caller.Caller, method, path string, in, out any) {
	if p.err != nil {
		return
	}
	p.keys++
	p.err = c.Do(p.ctx, method, path, fmt.Sprintf("contract-%d", p.keys), in, out)
}

func (p *player) post(c caller.Caller, path string, in any) map[string]any {
	var out map[string]any
	p.do(c, http.MethodPost, path, in, &out)
	return out
}

// note keeps the id that an answer has in a field.
func (p *player) note(name, field string, answer map[string]any) string {
	id, ok := answer[field].(string)
	if !ok && p.err == nil {
		p.err = fmt.Errorf("no %s of a %s in %v", field, name, answer)
	}
	if ok {
		p.known[name] = append(p.known[name], id)
	}
	return id
}

// apply files an application and waits for the registers.
func (p *player) apply(c caller.Caller, i int) string {
	if p.err != nil {
		return ""
	}
	id, err := p.Submit(p.ctx, c, p.Next())
	if err == nil {
		err = p.Until(p.ctx, func() (bool, error) { return p.Verified(p.ctx, id) })
	}
	p.err = err
	return id
}

// propose has one officer propose and, when it goes on, another approve and the
// bank pay.
func (p *player) propose(id string, on bool) {
	path := "/v1/staff/applications/" + id
	var stands struct {
		ProposalVersion int64 `json:"proposal_version"`
		AmountFen       int64 `json:"amount_fen"`
	}
	p.do(p.Clerk, http.MethodPost, path+"/proposals", map[string]any{}, &stands)
	if !on {
		return
	}
	p.do(p.Approver, http.MethodPost, path+"/approvals", stands, nil)
	if p.err == nil {
		p.err = p.Until(p.ctx, func() (bool, error) {
			paying, err := payout.Get(p.ctx, p.Table, payout.Key(id, "01"))
			return paying.State == payout.Paid, err
		})
	}
}

// words are what fields mean and a schema cannot say, so that more requests get
// past their form: real places, days of this year, the first versions.
var words = []struct{ name, fields, values string }{
	{"places", "query.place query.division query.township query.unit query.body body.place body.division body.township body.unit body.body", `"320400000000", "320402000000", "320402005000", "320402005001"`},
	{"days", "query.from query.to body.from body.to body.day body.due body.act", `"2026-11-01", "2026-11-28"`},
	{"versions", "body.version", "1, 2, 3"},
}

var parameter = regexp.MustCompile(`\{([a-z]+)\}`)

// asks says whether a caller asks for a path at all. Staff of every role ask for
// what is staff's, and one of them, a citizen and nobody for everything.
func asks(name, path string) bool {
	switch name {
	case nobody:
		return true
	case leaving:
		return path == signOut
	case citizen, "clerk-1":
		return path != signOut
	}
	return strings.HasPrefix(path, "/v1/staff/")
}

// config is what Schemathesis is told of one caller and of what is there. A
// request whose form is right may still be refused for what it says, so that
// check stays out.
func (s *scene) config(name, token string) []byte {
	var b bytes.Buffer
	b.WriteString("[checks.positive_data_acceptance]\nenabled = false\n")
	// 413 is how the longest of bad bodies are refused.
	b.WriteString("[checks.negative_data_rejection]\nexpected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422]\n")
	if token != "" {
		fmt.Fprintf(&b, "[auth.openapi.session]\nbearer = %q\n", token)
	}
	for _, name := range slices.Sorted(maps.Keys(s.known)) {
		fmt.Fprintf(&b, "[dictionaries.%s]\nvalues = [%s]\n", name, `"`+strings.Join(s.known[name], `","`)+`"`)
	}
	for _, w := range words {
		fmt.Fprintf(&b, "[dictionaries.%s]\nvalues = [%s]\n", w.name, w.values)
	}
	b.WriteString("[parameters]\n")
	for _, w := range words {
		for _, field := range strings.Fields(w.fields) {
			fmt.Fprintf(&b, "%q = {dictionary = %q, probability = 0.7}\n", field, w.name)
		}
	}
	for _, path := range s.paths {
		if !asks(name, path) {
			fmt.Fprintf(&b, "[[operations]]\ninclude-path = %q\nenabled = false\n", path)
			continue
		}
		var bound strings.Builder
		for _, m := range parameter.FindAllStringSubmatch(path, -1) {
			name := m[1]
			if name == "id" {
				name, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimPrefix(path, "/v1/"), "staff/"), "/")
			}
			if s.known[name] != nil {
				fmt.Fprintf(&bound, "\"path.%s\" = {dictionary = %q, probability = 0.8}\n", m[1], name)
			}
		}
		if strings.HasPrefix(path, "/v1/anonymous-complaints/") {
			bound.WriteString("\"body.code\" = {dictionary = \"complaint_codes\", probability = 0.8}\n")
		}
		if bound.Len() > 0 {
			fmt.Fprintf(&b, "[[operations]]\ninclude-path = %q\n[operations.parameters]\n%s", path, bound.String())
		}
	}
	return b.Bytes()
}
