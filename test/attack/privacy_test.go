package attack

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/table"
	"github.com/doudi-aid/doudi/test/invariant"
)

// tape keeps every reply that came over the wire.
type tape struct {
	http.RoundTripper
	mu  sync.Mutex
	all bytes.Buffer
}

func (t *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.RoundTripper.RoundTrip(r)
	if err != nil {
		return res, err
	}
	var body bytes.Buffer
	_, err = body.ReadFrom(res.Body)
	_ = res.Body.Close() // read to its end
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all.Write(body.Bytes())
	for k, v := range res.Header {
		t.all.WriteString(k + ": " + strings.Join(v, ",") + "\n")
	}
	res.Body = http.NoBody
	if body.Len() > 0 {
		res.Body = closing{bytes.NewReader(body.Bytes())}
	}
	return res, err
}

type closing struct{ *bytes.Reader }

func (closing) Close() error { return nil }

// X115, X117, P01, P03: one person's whole life in the system, with every error
// on the way, and nothing of them anywhere but under seal.
func TestX115_canary(t *testing.T) {
	t.Parallel()
	o := own(t, func(o *local.Options) { o.Level = -8 })
	p, agent, member := o.person(t), o.person(t), o.person(t)
	// What the world says of them is not ours; from here on everything is kept.
	by, other := o.citizen(t, p), o.citizen(t, agent)
	kept := &tape{RoundTripper: o.http.Transport}
	o.http.Transport = kept

	canary := form(p, with("members", []any{with1(who(member), "relation", "spouse")}),
		with("consents", []any{agreed("subject"), agreed("members/0")}), with("address", "金丝雀街道七号院三单元"), with("story", "金丝雀的故事只有本人知道。"))
	f := o.fileAs(t, by, p, func(m map[string]any) {
		for k, v := range canary {
			m[k] = v
		}
	})
	// Every error that can be made with these words.
	for _, field := range []string{"name", "phone"} {
		subject := who(p)
		subject[field] = p.IDNumber + p.Name
		by.post(t, "/v1/applications", form(p, with("subject", subject))).is(t, 400, "")
	}
	for _, place := range []string{p.IDNumber, p.Phone} {
		by.post(t, "/v1/applications", form(p, with("place", place))).is(t, 400, "")
		by.post(t, "/v1/applications", form(p, with("cause", place))).is(t, 400, "")
		by.get(t, "/v1/applications/"+place).is(t, 404, "")
		by.get(t, "/v1/applications?after="+place).is(t, 400, "")
		by.get(t, "/v1/programs?place="+place)
		by.call(t, "POST", "/v1/applications", place+p.Name, form(p))
		by.post(t, "/v1/applications", raw(`{"`+place+`":"`+p.Name+`"}`)).is(t, 400, "")
		by.post(t, "/v1/applications", raw(`{"story":"`+p.Name+place)).is(t, 400, "")
		caller{o: o, token: place}.get(t, "/v1/applications").is(t, 401, "")
		other.post(t, f.path("/not-me"), map[string]any{"paper": map[string]any{"kind": "id_card", "number": p.IDNumber + "x"}})
	}
	by.post(t, "/v1/applications", form(p)).is(t, 409, "duplicate-open")
	clerk := o.staff(t, "clerk-1")
	f.verified(t)
	clerk.post(t, f.staffPath("/visits"), map[string]any{"method": "door", "finding": "as_told", "note": "见到" + p.Name + "，电话" + p.Phone}).is(t, 201, "")
	// The bank fails at first, forges, and then pays.
	o.scenario(t, rule("bank", "send", "cut_after", "nth", "[1]")+rule("bank", "query", "lie", "nth", "[1]", "lie", `"bad_signature"`)+
		rule("sms", "send", "status", "nth", "[1]", "status", "503"))
	f.approve(t).paid(t)
	by.get(t, f.path("")).is(t, 200, "")
	by.get(t, f.path("/card")).is(t, 200, "")
	clerk.post(t, f.staffPath("/explanations"), map[string]any{"findings": "ok", "text": "已入户见到" + p.Name + "，情况属实。"}).is(t, 201, "")
	f.settled(t)

	secrets := []string{p.Name, p.IDNumber, p.Phone, p.Account, member.Name, member.IDNumber, member.Phone, "金丝雀街道", "金丝雀的故事"}
	traces := invariant.Traces(secrets...)
	if err := invariant.Shows(traces, "the log", o.log.all()); err != nil {
		t.Error(err)
	}
	if len(o.log.all()) < 1000 {
		t.Error("there is no log to look into")
	}
	until(t, "the diary is there", func() bool { return len(o.everything()) > 30 })
	for key, item := range o.everything() {
		written := append([]byte(key.PK+"\n"+key.SK+"\n"), item.Body...)
		for _, place := range item.Places {
			written = append(written, (place.PK + "\n" + place.SK + "\n")...)
		}
		if err := invariant.Shows(traces, key.PK+" "+key.SK, written); err != nil {
			t.Error(err)
		}
	}
	for _, dead := range o.Dead() {
		if err := invariant.Shows(traces, "a dead letter", dead.Message.Body); err != nil {
			t.Error(err)
		}
	}
	// Replies: the person's own words and masked forms only, for nobody else's eyes.
	kept.mu.Lock()
	replies := bytes.Clone(kept.all.Bytes())
	kept.mu.Unlock()
	replies = bytes.ReplaceAll(replies, []byte("金丝雀的故事只有本人知道。"), nil) // staff who decide read the story
	if err := invariant.Shows(invariant.Traces(p.IDNumber, p.Account, member.IDNumber, "金丝雀街道"), "a reply", replies); err != nil {
		t.Error(err)
	}
	// What was sent out says no more than that there is something to read.
	var told struct {
		Messages []struct{ Data map[string]string }
	}
	o.world(t, "GET", "/world/messages", nil, &told)
	if len(told.Messages) == 0 {
		t.Error("nobody was told anything")
	}
	for _, m := range told.Messages {
		for _, text := range m.Data {
			if err := invariant.Shows(traces, "a message", []byte(text)); err != nil {
				t.Error(err)
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := errors.Join(o.broken...); err != nil {
		t.Error(err)
	}
}

func TestX116_ciphertext_moved_to_another_row(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	a, b := o.file(t, o.person(t)).verified(t), o.file(t, o.person(t)).verified(t)
	key := func(f *file) table.Key { return table.Key{PK: application.Partition(f.id), SK: "PARTICULARS"} }
	from, _, err := o.Table.Get(t.Context(), key(a))
	if err != nil {
		t.Fatal(err)
	}
	to, _, err := o.Table.Get(t.Context(), key(b))
	if err != nil {
		t.Fatal(err)
	}
	before := bytes.Clone(to.Body)
	to.Body, to.Version = from.Body, to.Version+1
	if err := o.Table.Transact(t.Context(), table.Replace{Item: to}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []reply{b.by.get(t, b.path("")), o.staff(t, "clerk-1").get(t, b.staffPath("")), o.staff(t, "clerk-1").post(t, b.staffPath("/proposals"), map[string]any{})} {
		if r.status < 500 {
			t.Errorf("another person's data was taken for this one's: %d %s", r.status, r.body)
		}
		for _, secret := range []string{a.who.Name, a.who.IDNumber[14:], a.who.Account[len(a.who.Account)-4:]} {
			if bytes.Contains(r.body, []byte(secret)) {
				t.Errorf("%s", r.body)
			}
		}
	}
	if !bytes.Contains(o.log.all(), []byte(`"level":"ERROR"`)) {
		t.Error("nobody was called")
	}
	to.Body, to.Version = before, to.Version+1
	if err := o.Table.Transact(t.Context(), table.Replace{Item: to}); err != nil {
		t.Fatal(err)
	}
	b.approve(t).paid(t)
}
