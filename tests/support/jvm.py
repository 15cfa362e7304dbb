"""An answer of the JMX proxy of a Tomcat's Manager about its JVM."""

SEEN = """OK - Number of results: 6
Name: java.lang:type=Runtime
StartTime: 1000000
Uptime: 60000
Name: java.lang:type=Threading
ThreadCount: 14
Name: java.lang:type=OperatingSystem
ProcessCpuTime: 1050000000
Name: java.lang:name=Copy,type=GarbageCollector
CollectionTime: 32
Name: java.lang:name=Tenured Gen,type=MemoryPool
CollectionUsage: {committed=0, init=22413312, max=67108864, used=0}
Usage: {committed=22413312, init=22413312, max=67108864, used=6383800}
Name: java.lang:type=Memory
HeapMemoryUsage: {committed=32440320, init=33554432, max=97320960, used=15452672}
"""
