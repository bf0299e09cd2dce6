import Testing

@testable import Tensors

@Suite struct ShapeTests {
  @Test(arguments: [
    ([2, 3], [3], [2, 3]), ([2, 1], [1, 4], [2, 4]), ([], [5], [5]), ([1, 1], [], [1, 1]),
    ([0, 3], [1], [0, 3]), ([4, 1, 2], [3, 1], [4, 3, 2]),
  ])
  func broadcasts(_ a: [Int], _ b: [Int], _ expected: [Int]) {
    #expect(Shape(a).broadcast(with: Shape(b)) == Shape(expected))
    #expect(Shape(b).broadcast(with: Shape(a)) == Shape(expected))
  }

  @Test func incompatibleShapesDoNotBroadcast() {
    #expect(Shape([2, 3]).broadcast(with: [2]) == nil)
    #expect(Shape([2, 3]).broadcast(with: [3, 3]) == nil)
  }

  @Test func axesCountFromBothEnds() {
    let shape: Shape = [2, 3, 4]
    #expect(shape[-1] == 4 && shape[0] == 2 && shape.count == 24 && shape.rank == 3)
    #expect(shape.axes([-1, 0]) == [0, 2])
    #expect(shape.axes(nil) == [0, 1, 2])
    #expect(shape.removing([1]) == [2, 4])
    #expect(shape.replacing(-2, with: 7) == [2, 7, 4])
    #expect("\(TensorType(shape, .float32))" == "f32[2, 3, 4]")
    #expect(TensorType(shape, .bfloat16).text == "tensor<2x3x4xbf16>")
    #expect(TensorType(shape, .bfloat16).byteCount == 48)
  }

  @Test func mistakesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Shape([2, -1]) }
    await #expect(processExitsWith: .failure) { _ = Shape([2]).axis(1) }
    await #expect(processExitsWith: .failure) { _ = Shape([2]).axes([0, -1]) }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([2], .float32) + Tensor.zeros([3], .float32)
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([2], .float32) + Tensor.zeros([2], .float64)
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([2, 3], .float32).reshape([4, -1])
    }
  }
}
