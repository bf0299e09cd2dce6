import Testing

/// Expects that numbers differ by at most `absolute + relative · |expected|`; not-a-numbers and
/// infinities must be at the same places.
public func expectClose(
  _ actual: [Double], _ expected: [Double], relative: Double = 1e-6, absolute: Double = 1e-9,
  _ what: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.count == expected.count else {
    Issue.record(
      "\(what()): \(actual.count) numbers, expected \(expected.count)",
      sourceLocation: sourceLocation)
    return
  }
  let wrong = actual.indices.filter { i in
    let (a, e) = (actual[i], expected[i])
    if a == e || (a.isNaN && e.isNaN) { return false }
    return !(abs(a - e) <= absolute + relative * abs(e)) || e.isInfinite
  }
  guard let first = wrong.first else { return }
  Issue.record(
    """
    \(what()): \(wrong.count) of \(actual.count) numbers differ, first at \(first): \
    \(actual[first]), expected \(expected[first])
    """, sourceLocation: sourceLocation)
}

/// Expects that an array has the expected shape and nearly the expected elements.
public func expectClose(
  _ actual: Numbers, _ expected: Numbers, relative: Double = 1e-6, absolute: Double = 1e-9,
  _ what: @autoclosure () -> String = "", sourceLocation: SourceLocation = #_sourceLocation
) {
  guard actual.shape == expected.shape else {
    Issue.record(
      "\(what()): the shape is \(actual.shape), expected \(expected.shape)",
      sourceLocation: sourceLocation)
    return
  }
  expectClose(
    actual.values, expected.values, relative: relative, absolute: absolute, what(),
    sourceLocation: sourceLocation)
}
