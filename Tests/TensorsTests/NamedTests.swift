import Tensors
import Testing

@Suite struct NamedTests {
  @Test func namesKeepTheirOrder() {
    var named = Named([("b", 1), ("a", 2)])
    named["c"] = 3
    named["b"] = 4
    #expect(named.names == ["b", "a", "c"])
    #expect(named.values == [4, 2, 3])
    named["a"] = nil
    named["missing"] = nil
    #expect(named.names == ["b", "c"])
    #expect(named.mapValues { $0 * 2 } == Named([("b", 8), ("c", 6)]))
    #expect(named.map { $0 + "\($1)" }.values == ["b4", "c3"])
  }

  @Test func groupsAndPrefixes() {
    let named = Named([("w.x", 1), ("wx", 2), ("w.y.z", 3)])
    #expect(named.group("w") == Named([("x", 1), ("y.z", 3)]))
    #expect(named.group("w").prefixed("w").names == ["w.x", "w.y.z"])
    #expect(named.filter { $0.contains("x") }.values == [1, 2])
    #expect(named.merging(Named([("wx", 9), ("n", 4)])).values == [1, 9, 3, 4])
  }

  @Test func duplicateNamesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Named([("a", 1), ("a", 2)]) }
  }
}
