package complain

import (
	"context"
	"strconv"

	"github.com/doudi-aid/doudi/shared/calendar"
	"github.com/doudi-aid/doudi/shared/civil"
	"github.com/doudi-aid/doudi/shared/complaint"
	"github.com/doudi-aid/doudi/shared/fault"
	"github.com/doudi-aid/doudi/shared/httpapi"
	"github.com/doudi-aid/doudi/shared/staff"
)

// ModulesOut is what may be complained about in a place, and how soon it is seen to.
type ModulesOut struct {
	Place   string      `json:"place"`
	Source  string      `json:"source"`
	Modules []ModuleOut `json:"modules"`
	Clocks  []FigureOut `json:"clocks"`
}

// ModuleOut is one module.
type ModuleOut struct {
	Code      string    `json:"code"`
	Name      string    `json:"name"`
	Hardship  bool      `json:"hardship"`
	Confirmed bool      `json:"confirmed"`
	Source    string    `json:"source"`
	Items     []ItemOut `json:"items"`
}

// ItemOut is one power item. An empty supervising unit is one that nobody has told us.
type ItemOut struct {
	Code        string `json:"code"`
	Name        string `json:"name"`
	Handling    string `json:"handling"`
	Supervising string `json:"supervising"`
	Confirmed   bool   `json:"confirmed"`
	Source      string `json:"source"`
}

// FigureOut is one clock, where it comes from, and whether an authority confirmed it.
type FigureOut struct {
	Name      string `json:"name"`
	Value     int    `json:"value"`
	Source    string `json:"source"`
	Confirmed bool   `json:"confirmed"`
}

// listModules shows the modules of a place.
func listModules(_ context.Context, d Deps, call httpapi.Call[httpapi.None]) (ModulesOut, error) {
	now := d.Now()
	place, err := civil.ParseDivision(call.Query("place"))
	if err != nil {
		return ModulesOut{}, complaint.ErrPlace
	}
	rules, err := d.Book.Rules(place, calendar.Today(now))
	if err != nil {
		return ModulesOut{}, err
	}
	out := ModulesOut{Place: d.name(place, now), Source: rules.Source, Modules: []ModuleOut{}, Clocks: []FigureOut{}}
	for _, m := range rules.Modules {
		module := ModuleOut{m.Code, m.Name, m.Hardship, m.Status == "confirmed", m.Source, []ItemOut{}}
		for _, i := range m.Items {
			module.Items = append(module.Items, ItemOut{i.Code, i.Name, i.Handling.Name, i.Supervising.Name, i.Status == "confirmed", i.Source})
		}
		out.Modules = append(out.Modules, module)
	}
	for _, f := range rules.Clocks.List() {
		out.Clocks = append(out.Clocks, FigureOut{f.Name, f.Value, f.Source, f.Confirmed()})
	}
	return out, nil
}

// SatisfactionOut is what people are least satisfied with, the worst first. Lines
// rest on at least K ratings each.
type SatisfactionOut struct {
	Place string       `json:"place"`
	Year  int          `json:"year"`
	K     int          `json:"at_least"`
	Lines []OpinionOut `json:"lines"`
}

// OpinionOut is how people rated the replies in one module.
type OpinionOut struct {
	Module          string `json:"module"`
	Place           string `json:"place"`
	Ratings         int64  `json:"ratings"`
	VerySatisfied   int64  `json:"very_satisfied"`
	Satisfied       int64  `json:"satisfied"`
	FairlySatisfied int64  `json:"fairly_satisfied"`
	Dissatisfied    int64  `json:"dissatisfied"`
}

// figures reads the tallies of the districts of the city that code is in.
func (d Deps) figures(ctx context.Context, code string, year string) (city civil.DivisionCode, y int, districts map[civil.DivisionCode]map[string]complaint.Tally, rules *complaint.Rules, err error) {
	now := d.Now()
	y = calendar.Today(now).Year()
	if year != "" {
		if y, err = strconv.Atoi(year); err != nil || y < 2026 || y > 2100 {
			return city, y, nil, nil, fault.ErrFields.With(fault.Field{Pointer: "/year", Code: "out-of-range", Detail: "请填写四位年份。"})
		}
	}
	place, err := civil.ParseDivision(code)
	if err != nil {
		return city, y, nil, nil, complaint.ErrPlace
	}
	if rules, err = d.Book.Rules(place, calendar.Today(now)); err != nil {
		return city, y, nil, nil, err
	}
	path := d.within(place, now)
	city = path[len(path)-1]
	for _, p := range path {
		if p.Level() == civil.CityLevel {
			city = p
		}
	}
	districts = map[civil.DivisionCode]map[string]complaint.Tally{}
	for _, child := range d.Tree.Below(city, calendar.Today(now)) {
		if child.Level() > civil.CountyLevel {
			continue
		}
		if districts[child], err = complaint.Tallies(ctx, d.Table, child, y); err != nil {
			return city, y, nil, nil, err
		}
	}
	return city, y, districts, rules, nil
}

func satisfaction(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (SatisfactionOut, error) {
	city, year, districts, rules, err := d.figures(ctx, call.Query("division"), call.Query("year"))
	if err != nil {
		return SatisfactionOut{}, err
	}
	out := SatisfactionOut{Place: d.name(city, d.Now()), Year: year, K: complaint.K, Lines: []OpinionOut{}}
	for _, p := range complaint.Publish(city, districts) {
		module, _ := rules.Module(p.Module)
		out.Lines = append(out.Lines, OpinionOut{module.Name, d.name(p.Division, d.Now()), p.Tally.Ratings(), p.Tally.Rated[complaint.VerySatisfied],
			p.Tally.Rated[complaint.Satisfied], p.Tally.Rated[complaint.FairlySatisfied], p.Tally.Rated[complaint.Dissatisfied]})
	}
	return out, nil
}

// FiguresOut are the figures of the districts that the caller serves.
type FiguresOut struct {
	Year  int          `json:"year"`
	Lines []FigureLine `json:"lines"`
}

// FigureLine is the year of one module in one district.
type FigureLine struct {
	OpinionOut
	Division string `json:"division"`
	Filed    int64  `json:"filed"`
	Replied  int64  `json:"replied"`
	Late     int64  `json:"late"`
	Reopened int64  `json:"reopened"`
}

// innerFigures are the figures for those who serve a place, with nothing left out.
func innerFigures(ctx context.Context, d Deps, call httpapi.Call[httpapi.None]) (FiguresOut, error) {
	who, _, err := d.acting(ctx, call.Principal.ID)
	if err != nil {
		return FiguresOut{}, err
	}
	code, err := civil.ParseDivision(call.Query("division"))
	if err != nil {
		return FiguresOut{}, staff.ErrNotAllowed
	}
	if err := d.permitted(ctx, who, staff.ListComplaints, code, d.Now()); err != nil {
		return FiguresOut{}, err
	}
	_, year, districts, rules, err := d.figures(ctx, call.Query("division"), call.Query("year"))
	if err != nil {
		return FiguresOut{}, err
	}
	out := FiguresOut{Year: year, Lines: []FigureLine{}}
	for _, child := range d.Tree.Below(code, calendar.Today(d.Now())) {
		for _, m := range rules.Modules {
			n, any := districts[child][m.Code]
			if !any {
				continue
			}
			out.Lines = append(out.Lines, FigureLine{OpinionOut{m.Name, d.name(child, d.Now()), n.Ratings(), n.Rated[complaint.VerySatisfied],
				n.Rated[complaint.Satisfied], n.Rated[complaint.FairlySatisfied], n.Rated[complaint.Dissatisfied]}, string(child), n.Filed, n.Replied, n.Late, n.Reopened})
		}
	}
	return out, nil
}
