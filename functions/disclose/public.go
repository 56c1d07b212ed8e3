package disclose

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/disclosure"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/ident"
)

// Notices is what is public now, the latest first.
type Notices struct {
	Notices []Notice `json:"notices"`
}

// Notice is one edition that is public.
type Notice struct {
	ID         string `json:"id"`
	Number     int    `json:"number"`
	Year       int    `json:"year"`
	Title      string `json:"title"`
	County     string `json:"county"`
	CountyName string `json:"county_name"`
	MadeOn     string `json:"made_on"`
	UntilDay   string `json:"until"`
	SHA256     string `json:"sha256"` // of what GET /v1/disclosures/{id} answers; in the evidence log before
	Page       string `json:"page"`
}

// lasts is how long what is public until then may be kept.
func lasts(until, now time.Time) time.Duration { return min(keep, until.Sub(now)) }

// listed is what is public of one county or region, or of all that is served.
func listed(ctx context.Context, d Deps, c httpapi.Call[httpapi.None]) (httpapi.Reply[Notices], error) {
	var none httpapi.Reply[Notices]
	now := d.Now()
	counties := d.counties(now)
	if text := c.Query("division"); text != "" {
		code, err := civil.ParseDivision(text)
		if err != nil {
			return none, httpapi.ErrQuery
		}
		counties = slices.DeleteFunc(counties, func(county civil.DivisionCode) bool {
			return !d.Tree.Within(county, code, calendar.Today(now)) && !d.Tree.Within(code, county, calendar.Today(now))
		})
	}
	out, age := Notices{Notices: []Notice{}}, keep
	for _, county := range counties {
		for _, year := range years(now) {
			told, err := disclosure.List(ctx, d.Table, county, year)
			if err != nil {
				return none, err
			}
			for _, e := range slices.Backward(told) {
				if !e.Public(now) {
					continue
				}
				doc, err := e.Document()
				if err != nil {
					return none, err
				}
				age = min(age, lasts(e.Until, now))
				out.Notices = append(out.Notices, Notice{e.ID, e.Number, e.Year, doc.Title, doc.County, doc.CountyName, doc.MadeOn, doc.UntilDay, e.SHA256,
					"/v1/disclosures/" + e.ID + "/page"})
			}
		}
	}
	body, err := httpapi.Encode(out)
	return httpapi.Keepable[Notices](body, age), err
}

// public is the edition in the path, if it is public.
func (d Deps) public(ctx context.Context, id string) (disclosure.Edition, error) {
	if !ident.Valid(id) {
		return disclosure.Edition{}, disclosure.ErrNotFound
	}
	return disclosure.Show(ctx, d.Table, id, d.Now())
}

// shown is one edition, in the very bytes whose hash is in the evidence log.
func shown(ctx context.Context, d Deps, c httpapi.Call[httpapi.None]) (httpapi.Reply[disclosure.Document], error) {
	e, err := d.public(ctx, c.Path("id"))
	return httpapi.Keepable[disclosure.Document](e.Bytes, lasts(e.Until, d.Now())), err
}

// page is one edition to read and to print.
func (d Deps) page(ctx context.Context, c httpapi.RawCall) (httpapi.RawAnswer, error) {
	e, err := d.public(ctx, c.Path("id"))
	if err != nil {
		return httpapi.RawAnswer{}, err
	}
	doc, err := e.Document()
	return httpapi.RawAnswer{Status: 200, ContentType: "text/html; charset=utf-8", Body: disclosure.Page(doc), MaxAge: lasts(e.Until, d.Now()), Style: disclosure.Style}, err
}

// open is the open data in the path.
func (d Deps) open(ctx context.Context, r httpapi.Request) (map[string][]byte, error) {
	county, err := civil.ParseDivision(r.Path("division"))
	year, bad := strconv.Atoi(r.Path("year"))
	if err != nil || bad != nil || len(r.Path("year")) != 4 || !slices.Contains(d.counties(d.Now()), county) {
		return nil, disclosure.ErrNotFound
	}
	told, err := disclosure.List(ctx, d.Table, county, year)
	if err != nil {
		return nil, err
	}
	return disclosure.Open(told)
}

// manifest names the files of a county's open data, with their hashes.
func manifest(ctx context.Context, d Deps, c httpapi.Call[httpapi.None]) (httpapi.Reply[disclosure.Manifest], error) {
	files, err := d.open(ctx, c.Request)
	return httpapi.Keepable[disclosure.Manifest](files[disclosure.ManifestFile], keep), err
}

var media = map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8", "json": "application/json; charset=utf-8"}

// file is one file of a county's open data.
func (d Deps) file(ctx context.Context, c httpapi.RawCall) (httpapi.RawAnswer, error) {
	name := c.Path("file")
	if !slices.Contains(disclosure.FileNames(), name) {
		return httpapi.RawAnswer{}, disclosure.ErrNotFound
	}
	files, err := d.open(ctx, c.Request)
	if err != nil {
		return httpapi.RawAnswer{}, err
	}
	_, kind, _ := strings.Cut(name, ".")
	return httpapi.RawAnswer{Status: 200, ContentType: media[kind], Body: bytes.Clone(files[name]), MaxAge: keep}, nil
}
