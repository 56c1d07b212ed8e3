package attack

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/doudi-aid/doudi/cmd/doudi/local"
	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/document"
	"github.com/doudi-aid/doudi/shared/payout"
	"github.com/doudi-aid/doudi/shared/policy"
	"github.com/doudi-aid/doudi/shared/staff"
)

// release lifts every hold, as a person who has looked.
func (f *file) release(t *testing.T) {
	t.Helper()
	for _, h := range f.head(t).Holds {
		if h.Lifted == nil {
			f.o.staff(t, "reviewer-1").post(t, f.staffPath("/holds/"+h.ID+"/release"), map[string]any{"reason": "已经当面核实清楚"}).is(t, 201, "")
		}
	}
}

func TestX092_number_and_name_do_not_fit(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	p := o.cast(t, "wrong_name")
	f := o.file(t, p).verified(t)
	if h := f.holds(t); !slices.Contains(h, policy.HoldIdentityMismatch) {
		t.Errorf("holds %v", h)
	}
	r := f.by.get(t, f.path("")).is(t, 200, "")
	for _, word := range []string{"姓名不", "号码不", "mismatch", "MISMATCH", p.IDNumber, p.Registered} {
		if word != p.IDNumber && word != p.Registered && word == "MISMATCH" {
			continue // the code of the hold, which names no field
		}
		if bytes.Contains(r.body, []byte(word)) {
			t.Errorf("the citizen is told %q: %s", word, r.body)
		}
	}
	f.unmoved(t, func() {
		o.staff(t, "clerk-1").post(t, f.staffPath("/proposals"), map[string]any{}).is(t, 409, "application-held")
	})
	// A person looks and it goes on: the machine refused nobody (D04). The name
	// at the bank is the person's to clear up; no money goes astray.
	f.release(t)
	f.approve(t).becomes(t, payout.Paid, payout.Failed)
}

func TestX096_filed_in_anothers_name(t *testing.T) {
	t.Parallel()
	o := shared(t)
	victim, agent := o.person(t), o.person(t)
	by := o.citizen(t, agent)
	f := o.fileAs(t, by, victim, with("relation", "relative"), with("applicant", who(agent)))
	// The real person hears of it on their own telephone.
	until(t, "the real person is told", func() bool {
		var told struct{ Messages []struct{ Template string } }
		o.world(t, "GET", "/world/messages?to="+victim.Phone, nil, &told)
		return len(told.Messages) > 0
	})
	f.verified(t)
	real := o.citizen(t, victim)
	stranger := o.citizen(t, o.person(t))
	f.unmoved(t, func() {
		stranger.post(t, f.path("/not-me"), map[string]any{"paper": who(agent)["paper"]}).is(t, 404, "application-not-found")
		stranger.post(t, f.path("/not-me"), map[string]any{"paper": map[string]any{"kind": "none"}}).is(t, 404, "application-not-found")
		if r := stranger.post(t, f.path("/not-me"), map[string]any{"paper": map[string]any{"kind": "id_card", "number": "1"}}); r.status != 400 {
			t.Errorf("%d %s", r.status, r.body)
		}
	})
	f.proposeAs(t, o.staff(t, "clerk-1"), map[string]any{})
	notMe := map[string]any{"paper": who(victim)["paper"]}
	real.post(t, f.path("/not-me"), notMe).is(t, 200, "")
	f.unmoved(t, func() { f.decide(t, o.staff(t, "approver-1")).is(t, 409, "") })
	real.post(t, f.path("/not-me"), notMe).is(t, 200, "") // once more is heard, too
	if h := f.holds(t); !slices.Equal(h, []string{application.HoldNotMine}) {
		t.Errorf("holds %v", h)
	}
	if f.times(t) != 0 {
		t.Error("money left")
	}
}

// The freeze comes when the money is decided on but not gone.
func TestNotMeBetweenApprovalAndPayment(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	o.scenario(t, "[[rule]]\nservice = \"bank\"\nop = \"send\"\neffect = \"cut_before\"\n")
	victim, agent := o.person(t), o.person(t)
	f := o.fileAs(t, o.citizen(t, agent), victim, with("relation", "relative"), with("applicant", who(agent)))
	f.approve(t)
	real := o.citizen(t, victim)
	real.post(t, f.path("/not-me"), map[string]any{"paper": who(victim)["paper"]}).is(t, 200, "")
	o.scenario(t, "title = \"the bank is back\"")
	// Held money is not sent, however often the sweeper asks.
	for range 20 {
		o.pass(t, 10*time.Minute)
		if p := f.payout(t); p.State == payout.Paid {
			t.Fatal("money left although the person said it was not them")
		}
	}
	f.release(t)
	o.pass(t, time.Hour)
	f.paid(t)
}

func TestX097_many_for_others(t *testing.T) {
	t.Parallel()
	o := shared(t)
	agent := o.person(t)
	by := o.citizen(t, agent)
	sampled := 0
	for range 12 {
		p := o.person(t)
		f := o.fileAs(t, by, p, with("relation", "village_committee"), with("applicant", who(agent)))
		if e := f.events(t, application.Noun, "accepted"); len(e) == 1 && e[0].Facts["sampled"] == true {
			sampled++
		}
	}
	if sampled == 0 {
		t.Error("nobody looks at any of twelve")
	}
}

// X101: one account may not fill the office.
func TestX101_many_of_ones_own(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by := o.citizen(t, p)
	for _, cause := range []string{"fire", "injury", "job_loss", "disaster", "sudden_illness"} {
		o.fileAs(t, by, p, with("cause", cause))
	}
	r := by.post(t, "/v1/applications", form(p, with("cause", "other"))).is(t, 429, "")
	if r.header.Get("Retry-After") == "" {
		t.Errorf("no word on when: %s", r.body)
	}
}

func TestX098_the_dead(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	p := o.cast(t, "deceased")
	f := o.file(t, p).verified(t)
	if h := f.holds(t); !slices.Contains(h, policy.HoldDeathRecord) {
		t.Errorf("holds %v", h)
	}
	f.unmoved(t, func() {
		o.staff(t, "clerk-1").post(t, f.staffPath("/proposals"), map[string]any{}).is(t, 409, "application-held")
	})
	r := f.by.get(t, f.path(""))
	for _, word := range []string{"去世", "死亡", "火化"} {
		if bytes.Contains(r.body, []byte(word)) {
			t.Errorf("a living person would be told %q: %s", word, r.body)
		}
	}
	// Even if two people let it through, the bank knows, and the money stays.
	f.release(t)
	f.approve(t).becomes(t, payout.Failed)
	if f.times(t) != 0 {
		t.Error("money left")
	}
}

// picture is a document body around content.
func picture(media string, content []byte) map[string]any {
	sum := sha256.Sum256(content)
	return map[string]any{"kind": "incident", "media_type": media, "sha256": hex.EncodeToString(sum[:]), "content_base64": base64.StdEncoding.EncodeToString(content)}
}

func small() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 16, 16))
	m.Set(3, 3, color.RGBA{200, 30, 30, 255})
	return m
}

func chunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

func TestX102_pictures_that_are_none(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	huge := binary.BigEndian.AppendUint32(nil, 50_000)
	huge = append(binary.BigEndian.AppendUint32(huge, 50_000), 8, 2, 0, 0, 0)
	bomb := slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", huge), chunk("IDAT", make([]byte, 100)), chunk("IEND", nil))
	f.unmoved(t, func() {
		for name, body := range map[string]map[string]any{
			"50,000 pixels square": picture("image/png", bomb),
			"a zip":                picture("image/jpeg", []byte("PK\x03\x04"+strings.Repeat("\x00", 200))),
			"a PDF":                picture("application/pdf", []byte("%PDF-1.7\n")),
			"X103 HTML":            picture("image/jpeg", []byte("<html><script>alert(1)</script></html>")),
			"X103 SVG":             picture("image/png", []byte(`<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>`)),
			"X103 SVG by name":     picture("image/svg+xml", []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)),
			"X103 polyglot":        picture("image/jpeg", []byte("\xff\xd8\xff\xe0GIF89a<script>")),
			"nothing":              picture("image/png", nil),
			"another sum":          with1(picture("image/png", encoded(t)), "sha256", strings.Repeat("0", 64)),
			"not base64":           with1(picture("image/png", encoded(t)), "content_base64", "###"),
			"X112 an address":      with1(picture("image/png", encoded(t)), "content_base64", "http://169.254.169.254/latest/meta-data/"),
			"X112 a field for it":  with1(picture("image/png", encoded(t)), "url", "http://169.254.169.254/"),
		} {
			if r := f.by.post(t, f.path("/documents"), body); r.status != 400 && r.status != 415 && r.status != 413 {
				t.Errorf("%s: %d %s", name, r.status, r.body)
			}
		}
		f.by.post(t, f.path("/documents"), picture("image/jpeg", make([]byte, 6<<20))).is(t, 413, "")
	})
	f.by.post(t, f.path("/documents"), picture("image/png", encoded(t))).is(t, 201, "")
	f.unmoved(t, func() {
		f.by.post(t, f.path("/documents"), picture("image/png", encoded(t))).is(t, 409, "document-again")
	})
}

func encoded(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, small()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestX104_where_the_picture_was_taken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := own(t, func(o *local.Options) { o.Data = dir })
	f := o.file(t, o.person(t))
	var b bytes.Buffer
	if err := jpeg.Encode(&b, small(), nil); err != nil {
		t.Fatal(err)
	}
	const place = "GPS 31.7772N 119.9740E"
	exif := "Exif\x00\x00MM\x00*" + place
	withPlace := slices.Concat(b.Bytes()[:2], []byte{0xff, 0xe1, 0, byte(len(exif) + 2)}, []byte(exif), b.Bytes()[2:])
	var made struct{ Document string }
	f.by.post(t, f.path("/documents"), picture("image/jpeg", withPlace)).is(t, 201, "").read(t, &made)
	papers, err := document.OpenDirectory(filepath.Join(dir, "documents"), o.Box)
	if err != nil {
		t.Fatal(err)
	}
	defer papers.Close()
	kept, err := papers.Get(t.Context(), application.Partition(f.id), made.Document)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(kept, []byte("GPS")) || !bytes.HasPrefix(kept, []byte("\xff\xd8")) {
		t.Errorf("kept %q", kept[:min(60, len(kept))])
	}
	if _, err := jpeg.Decode(bytes.NewReader(kept)); err != nil {
		t.Errorf("what is kept is no picture any more: %v", err)
	}
}

func TestX108_deep_and_wide_bodies(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by := o.citizen(t, p)
	for name, body := range map[string]string{
		"10,000 levels":   `{"story":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}",
		"10,000 objects":  strings.Repeat(`{"members":`, 5_000) + "1" + strings.Repeat("}", 5_000),
		"wide":            `{"members":[` + strings.Repeat("1,", 30_000) + "1]}",
		"many keys":       "{" + strings.Repeat(`"a":1,`, 10_000) + `"b":1}`,
		"duplicate":       `{"track":"emergency","track":"emergency"}`,
		"case variant":    `{"Track":"emergency"}`,
		"trailing":        `{"track":"emergency"} {}`,
		"second document": `{}{}`,
		"bom":             "\ufeff{}",
		"not UTF-8":       "{\"story\":\"\xff\xfe\"}",
		"lone surrogate":  `{"story":"\ud800"}`,
		"control":         "{\"story\":\"a\u0000b\"}",
		"escaped zero":    `{"story":"a\u0000b"}`,
		"array":           `[]`,
		"null":            `null`,
		"nothing":         ``,
		"comment":         `{/*a*/}`,
		"X111 marker":     `{"#k":"x",":v":"y"}`,
		"X112 url":        `{"url":"http://169.254.169.254/"}`,
		"prototype":       `{"__proto__":{"admin":true}}`,
	} {
		if r := by.post(t, "/v1/applications", raw(body)); r.status != 400 && r.status != 413 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if r := by.post(t, "/v1/applications", raw("["+strings.Repeat("1,", 1_000_000)+"1]")); r.status != 413 && r.status != 400 {
		t.Errorf("a million: %d", r.status)
	}
	if ids := by.applications(t); len(ids) != 0 {
		t.Errorf("%v", ids)
	}
}

func TestX111_names_and_markers(t *testing.T) {
	t.Parallel()
	o := shared(t)
	f := o.file(t, o.person(t)).verified(t)
	for _, q := range []string{"#pk=1", "%23pk=1", ":v=1", "after=%23", "after=%00", "after=APP%23", "after=" + strings.Repeat("A", 250),
		"after=eyJwayI6IkFQUCMifQ", "after=a&after=b", "filter=%3Apk", "sort=-id", "after=%ff"} {
		if r := f.by.get(t, "/v1/applications?"+q); r.status != 400 && !(r.status == 200 && strings.HasPrefix(q, "#")) {
			t.Errorf("%s: %d %s", q, r.status, r.body)
		}
		if r := o.staff(t, "clerk-1").get(t, "/v1/staff/tasks?"+q); r.status != 400 && !(r.status == 200 && strings.HasPrefix(q, "#")) {
			t.Errorf("staff %s: %d %s", q, r.status, r.body)
		}
	}
	for _, id := range []string{"..%2f..%2fetc", "APP%23" + f.id, f.id + "%00", strings.ToUpper(f.id), f.id + "%20", "%25", "*"} {
		if r := f.by.get(t, "/v1/applications/"+id); r.status != 404 {
			t.Errorf("%s: %d %s", id, r.status, r.body)
		}
	}
}

// Names as people have them, and as nobody has them.
func TestNames(t *testing.T) {
	t.Parallel()
	o := shared(t)
	p := o.person(t)
	by := o.citizen(t, p)
	for _, name := range []string{strings.Repeat("长", 5000), "", " ", "\u202e王五", "王\u200b五", "<script>", "=cmd|' /C calc'!A0", "王\n五", "👨‍👩‍👧", "a\u0301\u0301\u0301\u0301", "１２３", "王五'; DROP TABLE"} {
		subject := who(p)
		subject["name"] = name
		r := by.post(t, "/v1/applications", form(p, with("subject", subject)))
		if r.status != 400 || r.at("/subject/name") == "" {
			t.Errorf("%.20q: %d %.300s", name, r.status, r.body)
		}
		if name != "" && name != " " && len(name) < 100 && bytes.Contains(r.body, []byte(name)) {
			t.Errorf("%q is echoed", name)
		}
	}
	for i, name := range []string{"阿卜杜热合曼·买买提", "𠮷测安", "龘靐", "欧阳测安", "迪丽热巴•迪力木拉提"} {
		q := o.person(t)
		subject := who(q)
		subject["name"] = name
		r := o.citizen(t, q).post(t, "/v1/applications", form(q, with("subject", subject)))
		if r.status != 201 {
			t.Errorf("%d %q: %d %s", i, name, r.status, r.body)
		}
	}
	// Every bad field is named at once.
	bad := form(p, with("place", "1"), with("cause", "boredom"), with("relation", "self"))
	bad["subject"] = map[string]any{"name": "?", "paper": map[string]any{"kind": "id_card", "number": "１１０１０１１９９００３０７７５１５"}, "phone": "abc"}
	bad["payee"] = map[string]any{"account": "x"}
	r := by.post(t, "/v1/applications", bad).is(t, 400, "")
	for _, at := range []string{"/place", "/cause", "/subject/name", "/subject/phone", "/payee/account"} {
		if r.at(at) == "" {
			t.Errorf("%s is not named: %s", at, r.body)
		}
	}
}

// A million ways to ask for too much, none of which may bring a panic: every
// answer is a problem document, and the log has no stack.
func TestNoPanics(t *testing.T) {
	t.Parallel()
	o := own(t, func(*local.Options) {})
	f := o.file(t, o.person(t)).verified(t)
	bodies := []string{"{}", "[]", "null", "1", `""`, "{\"a\":", `{"members":null}`, `{"members":[null]}`, `{"members":[{}]}`, `{"payee":null}`, `{"payee":{}}`,
		`{"consents":[{}]}`, `{"consents":null}`, `{"subject":null}`, `{"exception":null}`, `{"exception":{}}`, `{"at":"x"}`, `{"at":null}`,
		`{"until":"9999-99-99T00:00:00Z"}`, `{"documents":[null]}`, `{"proposal_version":-1,"amount_fen":1}`, `{"paper":{}}`, `{"paper":{"kind":"none"}}`, `{"award":"\u0000","answer":"received"}`}
	everybody := o.hire(t, staff.Clerk, county, func(s *staff.Staff) {
		for _, r := range []staff.Role{staff.Reviewer, staff.Approver, staff.Finance} {
			s.Grants = append(s.Grants, staff.Grant{Role: r, Division: county, From: s.Grants[0].From})
		}
	})
	for _, body := range bodies {
		for tail := range posts {
			if tail == "/withdrawal" {
				continue
			}
			if r := f.by.post(t, f.path(tail), raw(body)); r.status >= 500 {
				t.Errorf("%s %s: %d %s", tail, body, r.status, r.body)
			}
		}
		for tail := range staffPosts {
			if r := everybody.post(t, f.staffPath(tail), raw(body)); r.status >= 500 {
				t.Errorf("%s %s: %d %s", tail, body, r.status, r.body)
			}
		}
		for _, path := range []string{"/v1/applications", "/v1/estimates", "/v1/sessions", "/v1/staff/sessions"} {
			if r := f.by.post(t, path, raw(body)); r.status >= 500 {
				t.Errorf("%s %s: %d %s", path, body, r.status, r.body)
			}
		}
		if r := o.staff(t, "approver-1").post(t, "/v1/staff/envelopes", raw(body)); r.status >= 500 {
			t.Errorf("envelopes %s: %d %s", body, r.status, r.body)
		}
	}
	if log := o.log.all(); bytes.Contains(log, []byte(`"panic"`)) {
		t.Errorf("%s", log[bytes.Index(log, []byte(`"panic"`)):])
	}
	if dead := o.Dead(); len(dead) > 0 {
		t.Errorf("%d dead letters, %s", len(dead), dead[0].Code)
	}
}
