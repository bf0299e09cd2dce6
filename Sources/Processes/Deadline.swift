/// The end of a wait: immediately for negative numbers and NaN, and bounded by the range of the
/// clock for large numbers and infinity.
func deadline(after seconds: Double) -> ContinuousClock.Instant {
  let bounded = seconds > 0 ? min(seconds, 1e9) : 0
  return ContinuousClock.now + .seconds(bounded)
}

/// A number of seconds in words: "0.5 seconds", "30 seconds".
func inSeconds(_ seconds: Double) -> String {
  guard seconds.isFinite else { return "\(seconds) seconds" }
  guard abs(seconds) < 1e15 else { return "\(seconds) seconds" }
  guard abs(seconds) < 10 else { return "\(Int64(seconds.rounded())) seconds" }
  let tenths = (seconds * 10).rounded() / 10
  let text = tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)"
  return "\(text) second\(text == "1" ? "" : "s")"
}
