package disclose_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/doudi-aid/doudi/shared/application"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/money"
	"github.com/doudi-aid/doudi/test/browser"
)

// look is what a person needs of a page, measured in the browser.
type look struct {
	Lang      string   `json:"lang"`
	Title     string   `json:"title"`
	Wide      bool     `json:"wide"`      // it must be pushed sideways to be read
	Small     []string `json:"small"`     // text in letters below 20 pixels
	Pale      []string `json:"pale"`      // text that stands out less than 7 to 1
	Headings  []string `json:"headings"`  // levels, in order
	Unlabeled int      `json:"unlabeled"` // cells whose word nobody can see
	Scripts   int      `json:"scripts"`
	Loaded    int      `json:"loaded"` // things fetched beside the page
	Styled    bool     `json:"styled"` // the style sheet was let through by the policy
}

const measure = `(() => {
	const light = c => { const v = c.match(/[\d.]+/g).slice(0, 3).map(x => x / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2] };
	const small = [], pale = [];
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; n = walk.nextNode();) {
		if (!n.data.trim()) continue;
		const s = getComputedStyle(n.parentElement);
		if (parseFloat(s.fontSize) < 20) small.push(n.data);
		const [a, b] = [light(s.color), light(getComputedStyle(document.body).backgroundColor)].sort((x, y) => y - x);
		if ((a + .05) / (b + .05) < 7) pale.push(n.data);
	}
	const narrow = innerWidth < 700;
	return {lang: document.documentElement.lang, title: document.title, wide: document.documentElement.scrollWidth > innerWidth, small, pale,
		headings: [...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName),
		unlabeled: narrow ? [...document.querySelectorAll('td')].filter(c => !getComputedStyle(c, '::before').content.includes(c.dataset.word) || !c.dataset.word).length
			: [...document.querySelectorAll('th')].filter(c => !c.innerText.trim() || c.scope !== 'col').length,
		scripts: document.scripts.length, loaded: performance.getEntriesByType('resource').length,
		styled: getComputedStyle(document.querySelector('h1')).textAlign === 'center'};
})()`

// ended is whether the end of the page comes into view within some frames.
const ended = `new Promise(done => { let left = 300; const see = () => {
	if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) done(true); else if (left-- > 0) requestAnimationFrame(see); else done(false) };
	see() })`

// The public's page as a person sees it, on a telephone and on a desk, from the real
// handler: what was decided and what is proposed, by name where the region says so.
func TestAPersonReadsThePage(t *testing.T) {
	t.Parallel()
	w := open(t, postedFirst, func(text []byte) []byte {
		return []byte(strings.ReplaceAll(string(text), "name_emergency:\n    value: false", "name_emergency:\n    value: true"))
	})
	for i := range 5 {
		w.granted()
		w.proposed(money.Fen(6000_00 + 100*i))
	}
	w.granted(func(s *application.Submission) { // a child, told of as somebody's
		s.Particulars.Members = []application.Member{{Person: s.Particulars.Subject, Kinship: application.Parent}}
		s.Particulars.Subject = w.Holder("32040220150601001")
		s.Particulars.Holder = application.RoleMember(0)
		s.Relation = application.Household
	})
	w.run()
	w.sequence()
	w.run()
	pages := map[string]string{}
	for _, kind := range []string{disclosure.Consultation, disclosure.Proposals} {
		for _, e := range w.editions() {
			if d, err := e.Document(); err == nil && d.Kind == kind {
				pages[kind] = "/v1/disclosures/" + e.ID + "/page"
			}
		}
	}
	for kind, path := range pages {
		for device, size := range map[string][2]int{"telephone": {360, 740}, "desk": {1280, 900}} {
			p := browser.Open(t, w.url+path, size[0], size[1])
			var l look
			p.Eval(measure, &l)
			if l.Lang != "zh-CN" || !strings.Contains(l.Title, "公示") || l.Wide || len(l.Small)+len(l.Pale) != 0 || l.Unlabeled != 0 ||
				l.Scripts != 0 || l.Loaded != 0 || !l.Styled || len(l.Headings) < 2 || l.Headings[0] != "H1" || slices.Contains(l.Headings[1:], "H1") {
				t.Errorf("%s on a %s: %+v", kind, device, l)
			}
			text := p.Text()
			want := []string{"王*安", "天宁", "提出异议", "12345"}
			if kind == disclosure.Proposals {
				want = append(want, "还没有决定", "¥6,000.00", "某市临时救助办法第九条")
			} else {
				want = append(want, "王*安之子女", "¥1,100.00", "资金使用情况", "先行救助")
			}
			for _, word := range want {
				if !strings.Contains(text, word) {
					t.Errorf("%s on a %s: no %s in\n%s", kind, device, word, text)
				}
			}
			for _, canary := range append([]string{"王测安", "某路", "失火", "火灾", "629999", clerk}, w.secrets()...) {
				if strings.Contains(text, canary) {
					t.Errorf("%s on a %s: a person reads %s", kind, device, canary)
				}
			}
			// Whoever has only a keyboard gets from the first to the last line.
			p.Press("End")
			var last bool
			if p.Eval(ended, &last); !last {
				t.Errorf("%s on a %s: the last line cannot be reached by keys", kind, device)
			}
			if wrong := p.Wrong(); len(wrong) != 0 {
				t.Errorf("%s on a %s: the browser complains: %v", kind, device, wrong)
			}
			if dir := os.Getenv("DOUDI_PICTURES"); dir != "" {
				if err := p.Screenshot(filepath.Join(dir, kind+"-"+device+".png")); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if len(pages) != 2 {
		t.Errorf("pages %v", pages)
	}
}
