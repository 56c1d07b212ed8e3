package model

import (
	"slices"
	"strings"
)

// twoSchemes: one person draws two benefits that exclude each other.
var twoSchemes = Kind{Name: "two_schemes", Title: Words{"同一人享受两项互斥待遇", "One person in two schemes that exclude each other"},
	Lists: []Choice{{"exclusive", Schemes(), true}},
	run: func(m Model, f Facts) (hits []Hit) {
		for _, p := range f.People {
			draws := func(name string) bool {
				return slices.ContainsFunc(p.Schemes, func(s Scheme) bool { return s.Name == name })
			}
			for _, pair := range m.Lists["exclusive"] {
				a, b, _ := strings.Cut(pair, "+")
				if draws(a) && draws(b) {
					w := who(p)
					hits = append(hits, Hit{"schemes/" + p.Role + "/" + pair, Words{
						w.Zh + "同时在领两项不能同时享受的待遇（" + schemeNames[a] + "、" + schemeNames[b] + "）。请核实以哪一项为准。",
						"Two benefits that exclude each other (" + a + ", " + b + ") are being paid to " + w.En + ". Find out which one is due."}})
				}
			}
		}
		return hits
	}}

// schemeNames are the benefits as people call them.
var schemeNames = map[string]string{"dibao": "最低生活保障", "tekun": "特困供养", "near_dibao": "低保边缘家庭待遇",
	"rigid_expenditure": "刚性支出困难家庭待遇", "elderly_allowance": "尊老金", "unemployment_benefit": "失业保险金",
	"unemployed_relief": "失业人员一次性补助", "child_support": "困境儿童补助"}
