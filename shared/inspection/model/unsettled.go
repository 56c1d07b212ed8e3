package model

import "fmt"

// unsettled: the medical settlement does not know the bill, or not the condition
// that it is for (假病人、假病情、假票据). A settlement that has not answered is
// no suspicion.
var unsettled = Kind{Name: "unsettled", Title: Words{"医保结算查不到的票据或病情", "A bill or diagnosis that the medical settlement does not know"},
	run: func(_ Model, f Facts) (hits []Hit) {
		for _, i := range f.Invoices {
			switch {
			case i.Settled == No:
				hits = append(hits, hit(fmt.Sprintf("invoice/%d/unknown", i.Place), "医疗保障结算里查不到第%d张票据。可能是自费或还未结算，也可能票据有假，请看原件、问医院。",
					"The medical settlement does not know bill %d. It may be paid privately, not settled yet, or false: look at the original, ask the hospital.", i.Place))
			case i.Diagnosed == No:
				hits = append(hits, hit(fmt.Sprintf("invoice/%d/diagnosis", i.Place), "医疗保障结算里没有与第%d张票据相符的诊断。请向医院核实。",
					"The medical settlement has no diagnosis that goes with bill %d. Ask the hospital.", i.Place))
			}
		}
		return hits
	}}
