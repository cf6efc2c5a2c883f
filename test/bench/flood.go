package main

import "context"

type flood struct {
	name string
	slow bool
}
type floodRow struct{}

func (floodRow) line() string                                   { return "" }
func floods() []flood                                           { return nil }
func (b *bench) flood(context.Context, flood) (floodRow, error) { return floodRow{}, nil }
func (r *report) plot() string                                  { return "" }
