import Foundation
import TestSupport
import Testing

@testable import Tensors

/// One setting of attention's options, with its operands.
struct AttentionCase: Sendable, CustomTestStringConvertible {
  let testDescription: String
  var batch = 2
  var queries = 5
  var keys = 7
  var heads = 4
  var keyHeads = 4
  var width = 6
  var isCausal = false
  var window: Int?
  var softCap: Double?
  /// The valid keys of each sample, as numbers.
  var lengths: [Int]?
  /// Sizes of random bools over keys, and of a full mask.
  var validKeys: [Int]?
  var mask: [Int]?
  var bias: [Int]?

  init(_ name: String, _ change: (inout AttentionCase) -> Void) {
    testDescription = name
    change(&self)
  }

  /// Queries, keys, values, a cotangent; then lengths, valid keys, mask and bias as they are given.
  func inputs(_ dtype: DType = .float64) -> [Numbers] {
    func bools(_ sizes: [Int], _ seed: UInt64) -> Numbers {
      let random = Numbers.random(sizes, seed: seed)
      return Numbers(random.values.map { $0 > -0.2 ? 1 : 0 }, sizes, .bool)
    }
    var all: [Numbers] = [
      .random([batch, queries, heads, width], seed: 1, dtype),
      .random([batch, keys, keyHeads, width], seed: 2, dtype),
      .random([batch, keys, keyHeads, width], seed: 3, dtype),
      .random([batch, queries, heads, width], seed: 4, dtype),
    ]
    if let lengths { all.append(Numbers(lengths.map(Double.init), nil, .int32)) }
    if let validKeys { all.append(bools(validKeys, 5)) }
    if let mask { all.append(bools(mask, 6)) }
    if let bias { all.append(.random(bias, seed: 7, dtype)) }
    return all
  }

  /// The output of attention to inputs in that order.
  func run(_ tensors: [Tensor]) -> Tensor {
    var rest = tensors.dropFirst(4)
    var options = AttentionOptions(scale: 0.7, window: window, softCap: softCap)
    if isCausal { options.mask = .causal }
    if lengths != nil { options.mask = options.mask & .keys(rest.removeFirst()) }
    if validKeys != nil { options.mask = options.mask & .keys(rest.removeFirst()) }
    if mask != nil { options.mask = options.mask & .full(rest.removeFirst()) }
    if bias != nil { options.bias = rest.removeFirst() }
    return tensors[0].attention(keys: tensors[1], values: tensors[2], options)
  }

  /// The same in loops.
  func expected(_ inputs: [Numbers]) -> Numbers {
    var rest = inputs.dropFirst(4)
    let valid = validKeys == nil ? nil : rest.dropFirst(lengths == nil ? 0 : 1).first
    if lengths != nil { rest.removeFirst() }
    if validKeys != nil { rest.removeFirst() }
    let full = mask == nil ? nil : rest.removeFirst()
    let added = bias == nil ? nil : rest.removeFirst()
    func broadcast(_ some: Numbers, _ place: [Int]) -> Double {
      some[zip(place, some.shape).map { $1 == 1 ? 0 : $0 }]
    }
    return Numbers([batch, queries, heads, width]) { place in
      let (b, q, h) = (place[0], place[1], place[2])
      let shared = h / (heads / keyHeads)
      var (sum, mixed) = (0.0, 0.0)
      for k in 0..<keys {
        let distance = k - (q + keys - queries)
        if isCausal, distance > 0 { continue }
        if let window, abs(distance) >= window { continue }
        if let lengths, k >= lengths[b] { continue }
        if let valid, valid[b, k] == 0 { continue }
        if let full, broadcast(full, [b, h, q, k]) == 0 { continue }
        var score = (0..<width).reduce(0) {
          $0 + 0.7 * inputs[0][b, q, h, $1] * inputs[1][b, k, shared, $1]
        }
        if let softCap { score = softCap * tanh(score / softCap) }
        if let added { score += broadcast(added, [b, h, q, k]) }
        sum += exp(score)
        mixed += exp(score) * inputs[2][b, k, shared, place[3]]
      }
      return sum == 0 ? 0 : mixed / sum
    }
  }

  static let table: [AttentionCase] = [
    AttentionCase("nothing") { _ in },
    AttentionCase("grouped heads") { $0.keyHeads = 2 },
    AttentionCase("one head of keys") { $0.keyHeads = 1 },
    AttentionCase("causal") { ($0.isCausal, $0.keys) = (true, 5) },
    AttentionCase("causal after kept keys") { ($0.isCausal, $0.keyHeads) = (true, 2) },
    AttentionCase("causal with fewer keys") { ($0.isCausal, $0.keys) = (true, 3) },
    AttentionCase("window") { ($0.window, $0.keys) = (2, 5) },
    AttentionCase("causal window") { ($0.isCausal, $0.window, $0.queries) = (true, 3, 7) },
    AttentionCase("lengths") { $0.lengths = [3, 7] },
    AttentionCase("a sample without keys") { ($0.lengths, $0.isCausal) = ([0, 9], true) },
    AttentionCase("valid keys, causal") { ($0.validKeys, $0.isCausal) = ([2, 7], true) },
    AttentionCase("full mask") { $0.mask = [2, 4, 5, 7] },
    AttentionCase("a mask of queries") { $0.mask = [2, 1, 5, 1] },
    AttentionCase("bias") { $0.bias = [1, 4, 5, 7] },
    AttentionCase("a bias of keys") { ($0.bias, $0.keyHeads) = ([2, 1, 1, 7], 2) },
    AttentionCase("soft cap") { $0.softCap = 0.4 },
    AttentionCase("soft cap, causal window, grouped") {
      ($0.softCap, $0.isCausal, $0.window, $0.keyHeads) = (0.5, true, 4, 2)
    },
    AttentionCase("all") {
      ($0.softCap, $0.isCausal, $0.window, $0.keyHeads) = (0.5, true, 4, 2)
      ($0.lengths, $0.validKeys, $0.mask, $0.bias) = (
        [6, 7], [2, 7], [1, 1, 5, 7], [1, 4, 5, 7]
      )
    },
  ]

  /// Sizes beyond a tile of queries and a block of keys of the CPU's kernel.
  static let large: [AttentionCase] = [
    AttentionCase("causal, long") {
      ($0.queries, $0.keys, $0.isCausal, $0.keyHeads) = (130, 1100, true, 2)
    },
    AttentionCase("window, long") {
      ($0.queries, $0.keys, $0.isCausal, $0.window, $0.batch) = (600, 600, true, 70, 1)
      ($0.heads, $0.keyHeads) = (2, 1)
    },
    AttentionCase("lengths, long") {
      ($0.queries, $0.keys, $0.lengths, $0.bias) = (60, 700, [600, 31], [1, 4, 60, 700])
    },
    AttentionCase("causal with fewer keys, long") {
      ($0.queries, $0.keys, $0.isCausal, $0.softCap) = (140, 30, true, 0.3)
    },
  ]
}
