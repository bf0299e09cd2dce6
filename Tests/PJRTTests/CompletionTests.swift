import PJRT
import TestSupport
import Testing

@Suite struct CompletionTests {
  @Test(arguments: Plugins.paths)
  func aRunIsStartedAndEnds(path: String) throws {
    let client = try Plugins.shared(path)
    let program = try client.compile(doubling(3), Signature([BufferType(.float32, [3])]))
    var x = try client.buffer([1, 2, 3] as [Float], shape: [3])
    var ends: [Completion] = []
    for _ in 0..<20 {
      // Results of a run that may not have ended are arguments of the next.
      let (results, completion) = try program.start([[x]])
      x = results[0][0]
      ends.append(completion)
    }
    #expect(try x.array(of: Float.self) == [1, 2, 3].map { $0 * Float(1 << 20) })
    for completion in ends {
      try completion.wait()
      #expect(completion.end != nil)
    }
    let times = ends.compactMap(\.end)
    #expect(times == times.sorted())
  }

  @Test func donatedArgumentsAreGone() throws {
    let client = try Plugins.shared()
    let x = try client.buffer([1, 2, 3] as [Float], shape: [3])
    let step = try client.compile(
      donatingDoubling(3), Signature([x.type], donated: [0]))
    let (results, completion) = try step.start([[x]])
    #expect(x.isConsumed)
    #expect(throws: PJRTError.self) { try step.start([[x]]) }
    try completion.wait()
    #expect(try results[0][0].array(of: Float.self) == [2, 4, 6])
  }
}
