package results

import (
	"math"
	"slices"
)

// Quantile returns the value below which the part q of sorted lies, by linear
// interpolation; NaN of nothing.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := at - float64(low)
	return sorted[low]*(1-part) + sorted[low+1]*part
}

// Median of values in any order.
func Median(values []float64) float64 { return Quantile(slices.Sorted(slices.Values(values)), 0.5) }

// Spread is how far the middle half of the values reaches, as a part of their
// median: one outlier does not widen it. NaN of fewer than two values.
func Spread(values []float64) float64 {
	if len(values) < 2 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	median := Quantile(sorted, 0.5)
	if median == 0 {
		return 0
	}
	return math.Abs((Quantile(sorted, 0.75) - Quantile(sorted, 0.25)) / median)
}

// Summary makes a row's figures of the values of its runs.
func (r Row) Summary(values []float64) Row {
	r.Value, r.Min, r.Max, r.Runs = Median(values), slices.Min(values), slices.Max(values), len(values)
	return r
}
