#if canImport(Glibc)
  import Glibc
  import PJRT
  import Testing

  @Suite struct HostMemoryTests {
    /// How often the system had to find memory for this process.
    private func faults() -> Int {
      var usage = rusage()
      getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
      return usage.ru_minflt
    }

    @Test func memoryOfResultsIsKeptBetweenRuns() throws {
      let client = try Plugins.shared()
      let count = 48 << 20
      let type = "tensor<\(count)xf32>"
      let ones = try client.compile(
        program(
          "%x: tensor<f32>", type,
          """
          %y = stablehlo.broadcast_in_dim %x, dims = [] : (tensor<f32>) -> \(type)
          return %y : \(type)
          """), Signature([BufferType(.float32, [])]))
      let x = try client.buffer(1 as Float)
      var least = Int.max
      for _ in 0..<8 {
        let before = faults()
        _ = try ones.execute([x])
        least = min(least, faults() - before)
      }
      // Mapped anew, a run would have one fault for every page.
      #expect(least < count * 4 / 4096 / 2)
    }
  }
#endif
