import PJRT
import TestSupport
import Testing

@Suite struct ExecutionTests {
  @Test(arguments: Plugins.paths)
  func programRuns(path: String) throws {
    let client = try Plugins.shared(path)
    let two = program(
      "%a: tensor<2xf32>, %b: tensor<f32>", "tensor<2xf32>, tensor<i1>",
      """
      %c = stablehlo.broadcast_in_dim %b, dims = [] : (tensor<f32>) -> tensor<2xf32>
      %d = stablehlo.multiply %a, %c : tensor<2xf32>
      %e = stablehlo.compare GT, %b, %b : (tensor<f32>, tensor<f32>) -> tensor<i1>
      return %d, %e : tensor<2xf32>, tensor<i1>
      """)
    let a = try client.buffer([1, 2] as [Float], shape: [2])
    let b = try client.buffer(3 as Float)
    let executable = try client.compile(two, Signature([a.type, b.type]))
    #expect(executable.resultCount == 2)
    for _ in 0..<3 {
      let results = try executable.execute([a, b])
      #expect(try results[0].array(of: Float.self) == [3, 6])
      #expect(try results[1].array(of: Bool.self) == [false])
      #expect(results[1].shape == [])
    }
  }

  @Test(arguments: Plugins.paths)
  func errorOfTheTextReachesTheUser(path: String) throws {
    let client = try Plugins.shared(path)
    let wrong = program("%x: tensor<3xf32>", "tensor<3xf32>", "\n  %y = stablehlo.oops %x")
    let error = try #require(throws: PJRTError.self) {
      try client.compile(wrong, Signature([BufferType(.float32, [3])]))
    }
    guard case .failure(_, let message, _) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(message.contains("stablehlo.oops") && message.contains(":3:8"))
    #expect(error.description.contains(message))
  }

  @Test func codeOfAnErrorIsKept() throws {
    let client = try Plugins.shared()
    let type = "tensor<1000000000000xf32>"
    let huge = try client.compile(
      program(
        "", type, "%x = stablehlo.constant dense<1.0> : \(type)\nreturn %x : \(type)"),
      Signature([BufferType]()))
    let error = #expect(throws: PJRTError.self) { try huge.execute([]) }
    guard case .failure(.resourceExhausted, let message, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(message.contains("4000000000000"))
  }

  @Test func wrongArgumentsAreCaughtBeforeTheCall() throws {
    let client = try Plugins.shared()
    let type = BufferType(.float32, [4])
    let executable = try client.compile(doubling(4), Signature([.init(type, name: "weights")]))
    let right = try client.buffer([1, 2, 3, 4] as [Float], shape: [4])
    let reshaped = try client.buffer([1, 2, 3, 4] as [Float], shape: [2, 2])
    let integers = try client.buffer([1, 2, 3, 4] as [Int32], shape: [4])
    for count in [0, 2] {
      #expect(throws: PJRTError.wrongArgumentCount(device: 0, expected: 1, found: count)) {
        try executable.execute([Buffer](repeating: right, count: count))
      }
    }
    for wrong in [reshaped, integers] {
      let error = #expect(throws: PJRTError.self) { try executable.execute([wrong]) }
      #expect(
        error == .wrongArgument(index: 0, name: "weights", expected: type, found: wrong.type))
      #expect(error?.description.contains("weights, must be f32[4]") == true)
    }
    #expect(throws: PJRTError.wrongDeviceCount(expected: 1, found: 2)) {
      try executable.execute([[right], [right]])
    }
  }

  @Test(arguments: Plugins.paths)
  func donatedMemoryIsReusedAndStaysFlat(path: String) throws {
    let client = try Plugins.shared(path)
    let count = 1 << 18
    let step = try client.compile(
      donatingDoubling(count), Signature([BufferType(.float32, [count])], donated: [0]))
    #expect(step.memory?.aliased == 4 * count)
    #expect(step.memory?.total == 4 * count)
    var state = try client.buffer([Float](repeating: 0, count: count), shape: [count])
    let address = try state.address()
    var before = 0
    for run in 0..<1000 {
      state = try step.execute([state])[0]
      if run == 100 { before = try residentBytes() }
    }
    #expect(try state.address() == address)
    // A leak of the state alone would be 900 MiB; other tests run at the same time.
    #expect(try residentBytes() - before < 400 << 20)
  }

  @Test(arguments: Plugins.paths)
  func resultsAreFreed(path: String) throws {
    let client = try Plugins.shared(path)
    let double = try client.compile(doubling(1 << 18), Signature([BufferType(.float32, [1 << 18])]))
    let x = try client.buffer([Float](repeating: 1, count: 1 << 18), shape: [1 << 18])
    var before = 0
    for run in 0..<1000 {
      _ = try double.execute([x])
      if run == 100 { before = try residentBytes() }
    }
    #expect(try residentBytes() - before < 400 << 20)
  }

  @Test(arguments: Plugins.paths)
  func donatedBufferCannotBeUsedAgain(path: String) throws {
    let client = try Plugins.shared(path)
    let x = try client.buffer([1, 2] as [Float], shape: [2])
    let step = try client.compile(donatingDoubling(2), Signature([x.type], donated: [0]))
    #expect(try step.execute([x])[0].array(of: Float.self) == [2, 4])
    #expect(x.isConsumed)
    let error = PJRTError.consumed(type: x.type, by: "running a program")
    #expect(throws: error) { try step.execute([x]) }
    #expect(throws: error) { try x.array(of: Float.self) }
    #expect(error.description.contains("f32[2]"))
  }

  @Test func rejectedRunLeavesDonatedArgumentsUsable() throws {
    let client = try Plugins.shared()
    let type = "tensor<2xf32>"
    let sum = try client.compile(
      program(
        "%x: \(type) {tf.aliasing_output = 0 : i32}, %y: \(type)", type,
        "%z = stablehlo.add %x, %y : \(type)\nreturn %z : \(type)"),
      Signature([BufferType](repeating: BufferType(.float32, [2]), count: 2), donated: [0]))
    let x = try client.buffer([1, 2] as [Float], shape: [2])
    #expect(throws: PJRTError.self) { try sum.execute([x, x]) }
    #expect(try x.array(of: Float.self) == [1, 2])
    let y = try client.buffer([5, 5] as [Float], shape: [2])
    #expect(try sum.execute([x, y])[0].array(of: Float.self) == [6, 7])
    #expect(x.isConsumed && !y.isConsumed)
  }

  @Test(arguments: Plugins.paths)
  func memoryOfAProgramMatchesArithmetic(path: String) throws {
    let executable = try Plugins.shared(path).compile(
      doubling(1000), Signature([BufferType(.float32, [1000])]))
    let memory = try #require(executable.memory)
    #expect(memory.arguments == 4000 && memory.results == 4000 && memory.aliased == 0)
    #expect(memory.total == 8000 + memory.temporaries)
  }

  @Test(arguments: Plugins.paths)
  func bufferMayBeReadWhileItIsDonated(path: String) async throws {
    let client = try Plugins.shared(path)
    let count = 1 << 16
    let step = try client.compile(
      donatingDoubling(count), Signature([BufferType(.float32, [count])], donated: [0]))
    for _ in 0..<50 {
      let x = try client.buffer([Float](repeating: 1, count: count), shape: [count])
      async let read = Result { try x.array(of: Float.self) }
      let y = try step.execute([x])[0]
      switch await read {
      case .success(let values): #expect(values.allSatisfy { $0 == 1 })
      case .failure(let error): #expect(error is PJRTError)
      }
      #expect(try y.array(of: Float.self).allSatisfy { $0 == 2 })
    }
  }
}
